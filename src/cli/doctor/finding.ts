import { ConfigError, HostError } from "../../core/errors.ts";

/** What doctor finds about one component. */
export interface Finding {
  /** Null when there is nothing to check. */
  readonly ok: boolean | null;
  readonly subject: string;
  readonly message: string;
  readonly remedy: string | null;
  /** Present where a server answers, but with something else than OCDD's files hold. */
  readonly other?: true;
}

export const good = (subject: string, message: string): Finding => ({
  ok: true,
  subject,
  message,
  remedy: null,
});
export const bad = (subject: string, message: string, remedy: string): Finding => ({
  ok: false,
  subject,
  message,
  remedy,
});
export const none = (subject: string, message: string): Finding => ({
  ok: null,
  subject,
  message,
  remedy: null,
});

/** What it is about that the host could not be read; `otherwise` for the user's own mistakes. */
export function subjectOf(error: unknown, otherwise: string): string {
  if (!(error instanceof HostError)) return otherwise;
  return error.fault === "docker" ? "Docker" : error.fault === "storage" ? "files" : "host";
}

/** Of a check that could not be made; throws what is a bug. */
export function failed(subject: string, error: unknown): Finding {
  if (error instanceof HostError) return bad(subject, error.message, error.remedy ?? "see --debug");
  if (error instanceof ConfigError)
    return bad(subject, error.message.replaceAll("\n", "; "), error.remedy ?? "edit the configuration file");
  throw error;
}
