/** Where OCDD is installed: above src/ in a checkout, above the flat dist/ that is made of it; templates/ is in it. */
import { join } from "node:path";

export const HOME: string = join(import.meta.dirname, import.meta.filename.endsWith(".ts") ? "../.." : "..");
