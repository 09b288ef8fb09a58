/** Metrics whose values are counted elsewhere, and set anew at each scrape. */

export interface Settable {
  reset(): void;
  set(labels: Record<string, string>, value: number): void;
}

/** A name that ends in `_total` is a counter's, any other a gauge's. */
export type MakeMetric = (name: string, help: string, labels: readonly string[]) => Settable;
