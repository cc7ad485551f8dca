/** From the bytes of a file to located values. Everything from outside is bounded: size, depth, expanded aliases. */
import { isAlias, isMap, isScalar, isSeq, type Node, parseDocument } from 'yaml';
import type { Place, Problem } from '../problems.ts';
import { formatPath, type Located, type LocatedEntry } from './located.ts';
import { saidPlainly } from './syntax-errors.ts';
import { bluntUnquotedReferences, type UnquotedReference } from './unquoted-references.ts';

export const MAX_FILE_BYTES = 2 ** 20;
const MAX_DEPTH = 40;
/** Nodes after aliases are expanded: far beyond any honest file, soon reached by a bomb. */
const MAX_NODES = 20_000;
const MAX_SYNTAX_ERRORS = 20;
const EMPTY = 'is empty: it needs at least apiVersion, name, repository and stores';

export type YamlFile = {
  /** Undefined where nothing could be made of the text. */
  root: Located | undefined;
  problems: Problem[];
  /** Whether what a schema says would mislead: it follows from what is wrong with the YAML itself. */
  isConsequence(problem: Problem): boolean;
};

/** Reads one file. Never throws on what the text holds. */
export function readYaml(file: string, bytes: Uint8Array): YamlFile {
  const start: Place = { file, line: 1, column: 1 };
  const only = (what: string): YamlFile => ({
    root: undefined,
    problems: [{ place: start, path: '', what }],
    isConsequence: () => false,
  });
  if (bytes.length > MAX_FILE_BYTES) {
    return only('is larger than 1 MiB: such a file is not read');
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return only('is not UTF-8 text');
  }
  if (text.trim() === '') return only(EMPTY);
  return readText(file, text);
}

function readText(file: string, text: string): YamlFile {
  const { references, readable } = bluntUnquotedReferences(text);
  const starts = lineStarts(text);
  const document = parseDocument(readable, {
    prettyErrors: false,
    // Duplicates are found below: the parser compares each key with each other, which a long map makes endless.
    uniqueKeys: false,
  });
  const placeAt = (offset: number): Place => {
    const within = Math.min(Math.max(offset, 0), text.length);
    const line = lineOf(starts, within);
    return { file, line: line + 1, column: within - (starts[line] as number) + 1 };
  };
  const problems: Problem[] = references.map((reference) => ({
    place: placeAt(reference.from),
    path: '',
    what: `\${…} inside {} or [] must be quoted: "${reference.text}"`,
  }));
  const complaints = [...document.errors, ...document.warnings].slice(0, MAX_SYNTAX_ERRORS);
  for (const [index, error] of complaints.entries()) {
    // The second thing said of one place follows from the first.
    if (complaints[index - 1]?.pos[0] === error.pos[0]) continue;
    problems.push({ place: placeAt(error.pos[0]), path: '', what: saidPlainly(error, readable) });
  }
  const version = document.directives?.yaml;
  if (version?.explicit === true && version.version !== '1.2') {
    problems.push({ place: placeAt(0), path: '', what: 'is read as YAML 1.2: drop %YAML' });
  }
  const walker = new Walker(placeAt, problems);
  const root = document.contents === null ? undefined : walker.located(document.contents, [], 0);
  if (root === undefined && problems.length === 0) {
    problems.push({ place: placeAt(0), path: '', what: EMPTY });
  }
  const brokenFrom = document.errors[0] && placeAt(document.errors[0].pos[0]).line;
  const saidAt = new Set(problems.map(({ place }) => `${place.line}:${place.column}`));
  const isConsequence = ({ place, isAbsence }: Problem) =>
    (brokenFrom !== undefined && (isAbsence === true || place.line >= brokenFrom)) ||
    saidAt.has(`${place.line}:${place.column}`) ||
    isWithin(place, references, placeAt);
  return {
    root,
    problems,
    isConsequence: (problem) => problem.place.file === file && isConsequence(problem),
  };
}

function isWithin(
  place: Place,
  references: readonly UnquotedReference[],
  placeAt: (offset: number) => Place,
): boolean {
  return references.some((reference) => {
    const from = placeAt(reference.from);
    const to = placeAt(reference.to);
    return place.line === from.line && place.column >= from.column && place.column <= to.column;
  });
}

/** Walks the parsed document in its order, which is the order in which anchors count. */
class Walker {
  readonly #placeAt: (offset: number) => Place;
  readonly #problems: Problem[];
  readonly #anchors = new Map<string, Node>();
  readonly #open = new Set<Node>();
  #nodes = 0;
  #gaveUp = false;

  constructor(placeAt: (offset: number) => Place, problems: Problem[]) {
    this.#placeAt = placeAt;
    this.#problems = problems;
  }

  located(node: Node, path: readonly PropertyKey[], depth: number): Located {
    const place = this.#placeAt(node.range?.[0] ?? 0);
    const nothing: Located = { kind: 'scalar', value: null, place };
    if (this.#gaveUp) return nothing;
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES) {
      this.#gaveUp = true;
      this.#say(place, path, `holds more than ${MAX_NODES} values once its aliases are expanded`);
      return nothing;
    }
    if (depth > MAX_DEPTH) {
      this.#say(place, path, `is nested more than ${MAX_DEPTH} deep`);
      return nothing;
    }
    if (isAlias(node)) return this.#alias(node.source, place, path, depth);
    if ('anchor' in node && typeof node.anchor === 'string') this.#anchors.set(node.anchor, node);
    if (isScalar(node)) return this.#scalar(node.value, place, path);
    this.#open.add(node);
    const located = this.#collection(node, place, path, depth);
    this.#open.delete(node);
    return located ?? nothing;
  }

  #scalar(value: unknown, place: Place, path: readonly PropertyKey[]): Located {
    if (
      value === null ||
      typeof value === 'string' ||
      typeof value === 'number' ||
      typeof value === 'boolean'
    ) {
      return { kind: 'scalar', value, place };
    }
    this.#say(place, path, 'is a kind of value that this file has no use for');
    return { kind: 'scalar', value: null, place };
  }

  #alias(name: string, place: Place, path: readonly PropertyKey[], depth: number): Located {
    const target = this.#anchors.get(name);
    if (target === undefined) {
      this.#say(place, path, `*${name} has no anchor &${name} before it`);
    } else if (this.#open.has(target)) {
      this.#say(place, path, `*${name} lies inside &${name} itself: a cycle`);
    } else {
      return this.located(target, path, depth + 1);
    }
    return { kind: 'scalar', value: null, place };
  }

  #collection(
    node: Node,
    place: Place,
    path: readonly PropertyKey[],
    depth: number,
  ): Located | undefined {
    if (isSeq(node)) {
      const items = node.items.map((item, index) =>
        this.located(item as Node, [...path, index], depth + 1),
      );
      return { kind: 'list', items, place };
    }
    if (!isMap(node)) return undefined;
    const entries = new Map<string, LocatedEntry>();
    for (const pair of node.items) {
      const keyNode = pair.key as Node | null;
      const keyPlace = this.#placeAt(keyNode?.range?.[0] ?? node.range?.[0] ?? 0);
      const key = this.#key(keyNode, keyPlace, path);
      if (key === undefined) continue;
      const before = entries.get(key);
      if (before !== undefined) {
        const first = before.keyPlace;
        this.#say(keyPlace, [...path, key], `is here twice: first on line ${first.line}`);
        continue;
      }
      const value: Located =
        pair.value === null
          ? { kind: 'scalar', value: null, place: keyPlace }
          : this.located(pair.value as Node, [...path, key], depth + 1);
      entries.set(key, { keyPlace, value });
    }
    return { kind: 'map', entries, place };
  }

  #key(node: Node | null, place: Place, path: readonly PropertyKey[]): string | undefined {
    if (isScalar(node) && typeof node.value === 'string' && node.value !== '__proto__') {
      if (typeof node.anchor === 'string') this.#anchors.set(node.anchor, node);
      return node.value;
    }
    const shown = isScalar(node) ? `the key ${String(node.value)}` : 'this key';
    this.#say(place, path, `${shown} is not a word: quote it, or write another`);
    return undefined;
  }

  #say(place: Place, path: readonly PropertyKey[], what: string): void {
    this.#problems.push({ place, path: formatPath(path), what });
  }
}

/** Counted here: the parser's own counter misses lines after some errors. */
function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

function lineOf(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((starts[middle] as number) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
