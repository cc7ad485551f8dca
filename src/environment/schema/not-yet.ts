/** What the format will know. It is refused by name until then: to ignore it would promise what isn't kept. */

const TOP = 'environment';

const FIELDS: Record<string, Record<string, string>> = {
  [TOP]: {
    data: 'data classes',
    sites: 'sites',
    workspaces: 'workspaces',
    tripwires: 'tripwires',
    releases: 'releases',
    playbooks: 'playbooks',
    notify: 'notifications',
  },
  'services.*': { traffic: 'switching traffic' },
  'stores.*': { derived: 'stores derived from others' },
};

export const LATER_STORE_TYPES: ReadonlySet<string> = new Set([
  's3',
  'redis',
  'kafka',
  'duckdb',
  'mysql',
  'mongodb',
  'block',
]);

/** `not yet: sites come with …` for a known field of later, else undefined. */
export function notYetField(parentPath: readonly PropertyKey[], field: string): string | undefined {
  const parent =
    parentPath.length === 0
      ? TOP
      : parentPath.map((step, index) => (index === 1 ? '*' : String(step))).join('.');
  const what = FIELDS[parent]?.[field];
  return what === undefined ? undefined : notYet(what);
}

/** True of a type of store that is planned; it may be declared where it isn't protected. */
export function isLaterStoreType(type: string): boolean {
  return LATER_STORE_TYPES.has(type);
}

export function notYet(what: string): string {
  return `not yet: this version doesn't know ${what}; take it out for now`;
}
