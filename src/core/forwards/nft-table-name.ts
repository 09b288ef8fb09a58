/** Name of the tables of family ip and bridge. Words that nft reserves (`mark`, `fwd`, `chains`) name no chain or set. */
export const TABLE = "ocdd";
