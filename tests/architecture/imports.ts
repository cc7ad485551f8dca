/** Reads the imports of the project's own sources, as text: what the walls are judged by. */
import fs from 'node:fs';
import path from 'node:path';

export type Import = { file: string; line: number; specifier: string; typeOnly: boolean };

const STATEMENT =
  /^[ \t]*(?:import|export)\s+(?<type>type\s+)?(?:[^'"`;]*?\sfrom\s+)?['"](?<from>[^'"]+)['"]|\bimport\(\s*['"](?<dynamic>[^'"]+)['"]\s*\)|import\.meta\.resolve\(\s*['"`](?<resolved>[^'"`]+)['"`]/gm;

/** Every import, export-from, dynamic import and resolved worker of one file's text. */
export function importsOf(file: string, text: string): Import[] {
  const found: Import[] = [];
  for (const match of text.matchAll(STATEMENT)) {
    const groups = match.groups ?? {};
    const specifier = groups.from ?? groups.dynamic ?? groups.resolved;
    if (specifier === undefined) continue;
    const line = text.slice(0, match.index).split('\n').length;
    found.push({ file, line, specifier, typeOnly: groups.type !== undefined });
  }
  return found;
}

/** Paths of all TypeScript files below a folder, relative to `root`. */
export function sourceFiles(root: string, folder: string): string[] {
  return fs
    .readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.as.ts') && !name.endsWith('.d.ts'))
    .map((name) => path.join(folder, name))
    .sort();
}

export function readImports(root: string, folder: string): Import[] {
  return sourceFiles(root, folder).flatMap((file) =>
    importsOf(file, fs.readFileSync(path.join(root, file), 'utf8')),
  );
}

/** The first cycle of a graph as a path that ends where it began. */
export function findCycle(edges: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const finished = new Set<string>();
  const visit = (node: string, trail: string[]): string[] | undefined => {
    if (trail.includes(node)) return [...trail.slice(trail.indexOf(node)), node];
    if (finished.has(node)) return undefined;
    for (const next of edges.get(node) ?? []) {
      const cycle = visit(next, [...trail, node]);
      if (cycle) return cycle;
    }
    finished.add(node);
    return undefined;
  };
  for (const node of edges.keys()) {
    const cycle = visit(node, []);
    if (cycle) return cycle;
  }
  return undefined;
}
