/** By what a page is known as OCDD's: the version of its content, in its first element, or in a comment at its end. */

const MARK = /<(?:html|!-- OCDD)\b[^>]*\sdata-version="[0-9a-f]{14}"/i;

/** Whether OCDD has written this page. */
export const isMarked = (html: string): boolean => MARK.test(html);

/** The page with the comment, where a site's template has no place for the version. `version`: 14 hexadecimal digits. */
export const marked = (html: string, version: string): string =>
  isMarked(html) ? html : `${html}\n<!-- OCDD data-version="${version}" -->\n`;
