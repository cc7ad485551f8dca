/** Compiled files are what their sources compile to. Every one is compiled with the same words. */
import fs from 'node:fs';
import path from 'node:path';
import asc from 'assemblyscript/asc';
import { expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../../src');
const sources = fs
  .readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.as.ts'));

test('there are some', () => expect(sources.length).toBeGreaterThan(1));

test.each(sources)('the compiled form of %s has not drifted', async (name) => {
  const source = path.join(root, name);
  let compiled: Uint8Array | undefined;
  const { error } = await asc.main(
    ['x.ts', '-O3', '--runtime', 'stub', '--noAssert', '--outFile', 'x.wasm'].concat(
      ['simd', 'relaxed-simd'].flatMap((feature) => ['--enable', feature]),
    ),
    {
      readFile: (wanted) => (wanted === 'x.ts' ? fs.readFileSync(source, 'utf8') : null),
      writeFile: (written, contents) => {
        if (written === 'x.wasm') compiled = contents as Uint8Array;
      },
      listFiles: () => [],
    },
  );
  expect(error).toBeNull();
  const committed = fs.readFileSync(source.replace(/\.as\.ts$/, '.wasm'));
  expect(Buffer.from(compiled as Uint8Array).equals(committed)).toBe(true);
});
