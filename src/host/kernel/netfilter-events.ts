export async function followFirewall(
  signal: AbortSignal,
  opened: () => void,
  _changed: () => void,
): Promise<void> {
  opened();
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
}
