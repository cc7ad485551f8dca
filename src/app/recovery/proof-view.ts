import type { Proof } from '#repository';

/** As the API gives it. From the catalog, 64-bit numbers are decimal text already. */
export function proofView({ stores, ...proof }: Proof) {
  const shown = Object.entries(stores).map(([name, { position, ...store }]) => {
    const at = position && { line: position.line, offset: position.offset.toString() };
    return [name, { ...store, ...(at && { position: at }) }] as const;
  });
  return { ...proof, stores: Object.fromEntries(shown) };
}
