/**
 * Small checks that turn parsed JSON into typed records. Records come from storage that others may write to, so every
 * field is checked and bounded before it is believed. Unknown fields are ignored: a later version may add some.
 */

/** Checks a value found at `path` (for the message) and gives it back typed, or throws `ShapeError`. */
export type Shape<T> = (value: unknown, path: string) => T;

export class ShapeError extends Error {
  constructor(path: string, expected: string) {
    super(`${path || 'the record'} must be ${expected}`);
  }
}

const MAX_TEXT = 64 * 1024;

export function text(
  options: { max?: number; pattern?: RegExp; what?: string } = {},
): Shape<string> {
  const max = options.max ?? MAX_TEXT;
  return (value, path) => {
    if (typeof value !== 'string') throw new ShapeError(path, options.what ?? 'a text');
    if (value.length > max) throw new ShapeError(path, `at most ${max} characters long`);
    if (options.pattern && !options.pattern.test(value))
      throw new ShapeError(path, options.what ?? `of the form ${options.pattern.source}`);
    return value;
  };
}

export function oneOf<const T extends string>(...allowed: readonly T[]): Shape<T> {
  return (value, path) => {
    const found = allowed.find((word) => word === value);
    if (found === undefined) throw new ShapeError(path, `one of ${allowed.join(', ')}`);
    return found;
  };
}

/** Any finite number: times may be fractions of a millisecond, offsets negative. */
export const finite: Shape<number> = (value, path) => {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new ShapeError(path, 'a number');
  return value;
};

export const count: Shape<number> = (value, path) => {
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw new ShapeError(path, 'a whole number from 0');
  return value as number;
};

/** An unsigned 64-bit number, which JSON keeps as decimal text. */
export const unsigned64: Shape<bigint> = (value, path) => {
  if (typeof value !== 'string' || !/^\d{1,20}$/.test(value))
    throw new ShapeError(path, 'a decimal number in quotes');
  const number = BigInt(value);
  if (number >> 64n) throw new ShapeError(path, 'below 2^64');
  return number;
};

/** A signed number that JSON keeps as decimal text: nanoseconds since 1970. */
export const signed: Shape<bigint> = (value, path) => {
  if (typeof value !== 'string' || !/^-?\d{1,20}$/.test(value))
    throw new ShapeError(path, 'a decimal number in quotes');
  return BigInt(value);
};

export function list<T>(item: Shape<T>, max: number): Shape<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new ShapeError(path, 'a list');
    if (value.length > max) throw new ShapeError(path, `a list of at most ${max} items`);
    return value.map((entry, index) => item(entry, `${path}[${index}]`));
  };
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Values by name; names such as `__proto__` are plain keys here and change nothing. */
export function byName<T>(item: Shape<T>, max = 10_000): Shape<Record<string, T>> {
  return (value, path) => {
    if (!isPlainObject(value)) throw new ShapeError(path, 'an object');
    const entries = Object.entries(value);
    if (entries.length > max) throw new ShapeError(path, `an object of at most ${max} names`);
    return Object.fromEntries(entries.map(([key, entry]) => [key, item(entry, `${path}.${key}`)]));
  };
}

/** Any JSON value: what a source keeps for itself and checks itself. */
export const json: Shape<unknown> = (value) => value;

type Optional<T> = Shape<T> & { optional: true };

/** A field that may be absent; then the key is absent in the record too. */
export function optional<T>(shape: Shape<T>): Optional<T> {
  return Object.assign((value: unknown, path: string) => shape(value, path), {
    optional: true as const,
  });
}

type FieldShapes<T> = {
  [K in keyof T]-?: Record<never, never> extends Pick<T, K>
    ? Optional<Exclude<T[K], undefined>>
    : Shape<T[K]>;
};

export function object<T extends object>(fields: FieldShapes<T>): Shape<T> {
  const entries = Object.entries(fields) as [string, Shape<unknown> & { optional?: true }][];
  return (value, path) => {
    if (!isPlainObject(value)) throw new ShapeError(path, 'an object');
    const made: Record<string, unknown> = {};
    for (const [key, shape] of entries) {
      const present = Object.hasOwn(value, key) && value[key] !== undefined;
      if (!present && shape.optional) continue;
      made[key] = shape(present ? value[key] : undefined, path ? `${path}.${key}` : key);
    }
    return made as T;
  };
}
