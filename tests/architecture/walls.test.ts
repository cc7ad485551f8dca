import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { findCycle, type Import, importsOf, readImports, sourceFiles } from './imports.ts';
import { ADAPTERS, DATA_PLANE, FORBIDDEN_NAMES, WALLS } from './walls.ts';

const root = path.resolve(import.meta.dirname, '../..');
const imports = readImports(root, 'src');
const isTest = (file: string) => /\.test\.ts$|conformance\.ts$|test-server/.test(file);

const layerOf = (file: string) => file.split('/')[1] as string;

/** The layer that an import leads into, or undefined for packages and Node itself. */
function targetLayer(item: Import): string | undefined {
  if (item.specifier.startsWith('.')) {
    const target = path.normalize(path.join(path.dirname(item.file), item.specifier));
    return target.startsWith('src/') ? layerOf(target) : `outside src: ${target}`;
  }
  const named = /^#([a-z]+)/.exec(item.specifier)?.[1];
  return named === 'worker' || named === 'asset' ? 'repository' : named;
}

function crossings(): { item: Import; from: string; to: string }[] {
  return imports.flatMap((item) => {
    const from = layerOf(item.file);
    const to = targetLayer(item);
    return to === undefined || to === from || isTest(item.file) ? [] : [{ item, from, to }];
  });
}

/** Files that a file's relative imports lead to. */
function graph(): Map<string, string[]> {
  const edges = new Map<string, string[]>();
  for (const item of imports) {
    if (!item.specifier.startsWith('.') || item.typeOnly) continue;
    const target = path.normalize(path.join(path.dirname(item.file), item.specifier));
    edges.set(item.file, [...(edges.get(item.file) ?? []), target]);
  }
  return edges;
}

describe('the walls', () => {
  test('imports were seen, across layers too', () => {
    expect(imports.length).toBeGreaterThan(100);
    expect(crossings().length).toBeGreaterThan(20);
  });

  test('every layer is known', () => {
    const layers = new Set(sourceFiles(root, 'src').map(layerOf));
    expect([...layers].filter((layer) => !(layer in WALLS))).toEqual([]);
  });

  test('a layer imports only what lies below it', () => {
    const breaches = crossings()
      .filter(({ from, to }) => to !== 'base' && !WALLS[from]?.includes(to))
      .map(({ item, to }) => `${item.file}:${item.line} imports ${to}`);
    expect(breaches).toEqual([]);
  });

  test('the data plane reaches no catalog and no server by any way', () => {
    const reach = (layer: string, seen = new Set<string>()): Set<string> => {
      for (const next of WALLS[layer] ?? []) if (!seen.has(next)) reach(next, seen.add(next));
      return seen;
    };
    for (const layer of DATA_PLANE) {
      expect([...reach(layer)].filter((to) => ['catalog', 'server', 'app'].includes(to))).toEqual(
        [],
      );
    }
  });

  test('layers meet at their index alone', () => {
    const around = crossings()
      .filter(({ item }) => item.specifier.startsWith('.'))
      .map(({ item }) => `${item.file}:${item.line} reaches ${item.specifier}`);
    expect(around).toEqual([]);
  });

  test('no file imports itself by a detour', () => {
    expect(graph().size).toBeGreaterThan(30);
    expect(findCycle(graph())).toBeUndefined();
  });

  test('no layers form a cycle', () => {
    expect(findCycle(new Map(Object.entries(WALLS)))).toBeUndefined();
  });

  test('a package of one system stays in the folder of its adapter', () => {
    const strays = imports
      .filter((item) => !isTest(item.file))
      .flatMap((item) => {
        const name = Object.keys(ADAPTERS).find(
          (adapter) => item.specifier === adapter || item.specifier.startsWith(`${adapter}/`),
        );
        const allowed = name === undefined ? [] : (ADAPTERS[name] as readonly string[]);
        const strayed =
          name !== undefined && !allowed.some((folder) => item.file.startsWith(folder));
        return strayed ? [`${item.file}:${item.line} imports ${name}`] : [];
      });
    expect(strays).toEqual([]);
  });

  test('files and folders are named for what they are', () => {
    const names = sourceFiles(root, 'src').flatMap((file) => file.split('/'));
    expect(names.filter((name) => FORBIDDEN_NAMES.test(name))).toEqual([]);
  });

  test('every layer opens with a paragraph for newcomers', () => {
    for (const layer of new Set(sourceFiles(root, 'src').map(layerOf))) {
      const text = fs.readFileSync(path.join(root, 'src', layer, 'index.ts'), 'utf8');
      expect(text, `src/${layer}/index.ts`).toMatch(/^\/\*\*\s/);
    }
  });
});

describe('what reads the walls', () => {
  test('sees static, re-exported, type, dynamic and worker imports', () => {
    const text = [
      "import fs from 'node:fs';",
      "import type { A } from '#repository';",
      "export * from './b.ts';",
      'import {',
      '  c,',
      "} from '../c.ts';",
      "const d = await import('#catalog');",
      "new Worker(new URL(import.meta.resolve('#worker/chunk')));",
    ].join('\n');
    expect(
      importsOf('x.ts', text).map((item) => [item.line, item.specifier, item.typeOnly]),
    ).toEqual([
      [1, 'node:fs', false],
      [2, '#repository', true],
      [3, './b.ts', false],
      [4, '../c.ts', false],
      [7, '#catalog', false],
      [8, '#worker/chunk', false],
    ]);
  });

  test('finds a cycle and names its way', () => {
    const edges = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['b']],
    ]);
    expect(findCycle(edges)).toEqual(['b', 'c', 'b']);
  });
});
