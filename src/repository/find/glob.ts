/**
 * Patterns as shells know them: `*` and `?` stay within a name, `[a-z]` is a set, `{a,b}` either, `**` any number of
 * directories, `.` stands for none. A pattern with a leading slash is held against the whole path, one with a slash inside
 * against the end of the path, any other against the name.
 */

export type Glob = {
  matches(path: readonly string[]): boolean;
  /** False where nothing below this directory can match. */
  mayMatchBelow(directory: readonly string[]): boolean;
};

export type GlobOptions = { ignoreCase?: boolean };

type Part = RegExp | '**';

const MAX_ALTERNATIVES = 1_000;

/** Undefined where the pattern is none: an empty one, or one with too many alternatives. */
export function compileGlob(pattern: string, options: GlobOptions = {}): Glob | undefined {
  const alternatives = expandBraces(pattern);
  if (!alternatives) return undefined;
  const compiled: Part[][] = [];
  for (const alternative of alternatives) {
    const names = alternative.split('/').filter((name) => name !== '' && name !== '.');
    if (names.length === 0) return undefined;
    const parts = names.map((name) => (name === '**' ? name : nameExpression(name, options)));
    compiled.push(alternative.startsWith('/') ? parts : ['**', ...parts]);
  }
  return {
    matches: (path) => compiled.some((parts) => reach(parts, path).has(parts.length)),
    mayMatchBelow: (directory) => compiled.some((parts) => leadsOn(parts, directory)),
  };
}

/** Whether something below can match: a part is left to be matched by what lies there. */
function leadsOn(parts: readonly Part[], directory: readonly string[]): boolean {
  for (const at of reach(parts, directory)) if (at < parts.length) return true;
  return false;
}

/** How far into the parts this path can lead: a walk over all possibilities at once, without going back. */
function reach(parts: readonly Part[], path: readonly string[]): Set<number> {
  let places = withSkipped(parts, [0]);
  for (const name of path) {
    const next: number[] = [];
    for (const at of places) {
      const part = parts[at];
      if (part === '**') next.push(at);
      else if (part?.test(name)) next.push(at + 1);
    }
    places = withSkipped(parts, next);
  }
  return places;
}

/** `**` may stand for nothing. */
function withSkipped(parts: readonly Part[], places: Iterable<number>): Set<number> {
  const all = new Set<number>();
  for (const place of places) {
    let at = place;
    all.add(at);
    while (parts[at] === '**') {
      at += 1;
      all.add(at);
    }
  }
  return all;
}

function nameExpression(name: string, { ignoreCase = false }: GlobOptions): RegExp {
  let source = '';
  for (let at = 0; at < name.length; at += 1) {
    const character = name[at] as string;
    if (character === '*') {
      // Several in a row mean no more than one, and would only make the search longer.
      if (name[at + 1] !== '*') source += '.*';
    } else if (character === '?') source += '.';
    else if (character === '\\' && at + 1 < name.length) {
      at += 1;
      source += RegExp.escape(name[at] as string);
    } else if (character === '[') {
      const set = readSet(name, at);
      source += set?.source ?? '\\[';
      at = set?.end ?? at;
    } else source += RegExp.escape(character);
  }
  return new RegExp(`^${source}$`, `s${ignoreCase ? 'iu' : 'u'}`);
}

/** `[abc]`, `[a-z]`, `[!a]`, `[^a]`; undefined where the bracket is never closed, and stands for itself. */
function readSet(name: string, start: number): { source: string; end: number } | undefined {
  const negated = name[start + 1] === '!' || name[start + 1] === '^';
  const first = start + (negated ? 2 : 1);
  // A closing bracket in the first place is a member.
  const end = name.indexOf(']', first + 1);
  if (end < 0) return undefined;
  const members = name.slice(first, end).replace(/[\\\][^&|~]/g, '\\$&');
  const source = `[${negated ? '^' : ''}${members}]`;
  try {
    new RegExp(source, 'u');
    return { source, end };
  } catch {
    // `[z-a]`: a set of nothing.
    return { source: '(?!)', end };
  }
}

function expandBraces(pattern: string): string[] | undefined {
  const finished: string[] = [];
  const waiting = [pattern];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const group = /(?<!\\)\{((?:[^{}\\]|\\.)*,(?:[^{}\\]|\\.)*)\}/.exec(next);
    if (!group) finished.push(next);
    else {
      const before = next.slice(0, group.index);
      const after = next.slice(group.index + group[0].length);
      for (const choice of (group[1] as string).split(',')) waiting.push(before + choice + after);
    }
    if (finished.length + waiting.length > MAX_ALTERNATIVES) return undefined;
  }
  return finished;
}

/** The components of a path as a pattern sees them: text where the bytes are UTF-8, else a character for each byte. */
export function componentsOf(path: Buffer): string[] {
  const text = path.toString('utf8');
  const exact = Buffer.byteLength(text) === path.length && !text.includes('\ufffd');
  const shown = exact || Buffer.from(text).equals(path) ? text : path.toString('latin1');
  return shown.split('/').filter((name) => name !== '');
}
