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
