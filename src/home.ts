/** Where OCDD is installed: above src/, and above the flat dist/ that is made of it, with templates/ beside it. */
import { dirname } from "node:path";

export const HOME: string = dirname(import.meta.dirname);
