/** Name of the tables of family ip and bridge. */
export const TABLE = "ocdd";
