/** Results kept for as long as the object that they were computed from exists. */

/**
 * Caches one result for each object, computed again when `key` differs. The result must depend on the object and the key
 * only.
 */
export function perObject<T extends object, R>(): (object: T, key: string, make: () => R) => R {
  const results = new WeakMap<T, { readonly key: string; readonly result: R }>();
  return (object, key, make) => {
    const known = results.get(object);
    if (known?.key === key) return known.result;
    const result = make();
    results.set(object, { key, result });
    return result;
  };
}
