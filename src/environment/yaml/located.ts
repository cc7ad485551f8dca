/** Values of YAML with the place of each, so that an error found late can still say where. */
import type { Place } from '../problems.ts';

export type Scalar = string | number | boolean | null;

export type Located =
  | { kind: 'scalar'; value: Scalar; place: Place }
  | { kind: 'list'; items: Located[]; place: Place }
  | { kind: 'map'; entries: Map<string, LocatedEntry>; place: Place };

export type LocatedEntry = { keyPlace: Place; value: Located };

/** The bare value. Maps become objects without prototype, so that a key `__proto__` is a key like others. */
export function plain(located: Located): unknown {
  if (located.kind === 'scalar') return located.value;
  if (located.kind === 'list') return located.items.map(plain);
  const object: Record<string, unknown> = Object.create(null);
  for (const [key, entry] of located.entries) object[key] = plain(entry.value);
  return object;
}

/** The overlay over the base: maps deep, lists and scalars replaced. Places stay those of the file that said it. */
export function overlaid(base: Located, overlay: Located): Located {
  if (base.kind !== 'map' || overlay.kind !== 'map') return overlay;
  const entries = new Map(base.entries);
  for (const [key, entry] of overlay.entries) {
    const below = entries.get(key);
    entries.set(
      key,
      below === undefined
        ? entry
        : { keyPlace: entry.keyPlace, value: overlaid(below.value, entry.value) },
    );
  }
  return { kind: 'map', entries, place: base.place };
}

/** What lies at a path, or undefined. */
export function locate(
  root: Located,
  path: readonly PropertyKey[],
): { value: Located; keyPlace: Place } | undefined {
  let value = root;
  let keyPlace = root.place;
  for (const step of path) {
    if (value.kind === 'map') {
      const entry = value.entries.get(String(step));
      if (entry === undefined) return undefined;
      value = entry.value;
      keyPlace = entry.keyPlace;
    } else if (value.kind === 'list' && typeof step === 'number') {
      const item = value.items[step];
      if (item === undefined) return undefined;
      value = item;
      keyPlace = item.place;
    } else {
      return undefined;
    }
  }
  return { value, keyPlace };
}

/** The place of a path: of its value, else of the key of the nearest parent that is there. */
export function placeOf(root: Located, path: readonly PropertyKey[]): Place {
  const found = locate(root, path);
  if (found !== undefined) return found.value.place;
  for (let length = path.length - 1; length >= 0; length -= 1) {
    const parent = locate(root, path.slice(0, length));
    if (parent !== undefined) return parent.keyPlace;
  }
  return root.place;
}

/** The tree with each scalar replaced by what `change` gives for it. */
export function mapScalars(
  located: Located,
  change: (
    scalar: Extract<Located, { kind: 'scalar' }>,
    path: readonly (string | number)[],
  ) => Scalar,
  path: readonly (string | number)[] = [],
): Located {
  if (located.kind === 'scalar') return { ...located, value: change(located, path) };
  if (located.kind === 'list') {
    const items = located.items.map((item, index) => mapScalars(item, change, [...path, index]));
    return { ...located, items };
  }
  const entries = new Map<string, LocatedEntry>();
  for (const [key, entry] of located.entries) {
    entries.set(key, { ...entry, value: mapScalars(entry.value, change, [...path, key]) });
  }
  return { ...located, entries };
}

/** `stores.orders.exclude[0]`. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += text === '' ? String(step) : `.${String(step)}`;
  }
  return text;
}
