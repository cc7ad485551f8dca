/** Values as the driver sends them. */

/** 64-bit numbers as decimal text. */
export const json = (value: unknown) =>
  JSON.stringify(value, (_key, field) => (typeof field === 'bigint' ? field.toString() : field));

export const time = (atMs: number) => new Date(atMs);
