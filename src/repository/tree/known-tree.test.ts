import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EntryTable, madeMetadata, makeFifo, OpenFolder, setTimes, setXattr } from '#base';
import { encodeTree } from './encode-tree.ts';
import { entryText, wholeText } from './entry-text.ts';
import { formatGoSeconds, formatGoTime } from './go-time.ts';
import { KnownTree } from './known-tree.ts';
import type { TreeNode } from './node.ts';

const ID = 'ab'.repeat(32);
const NAMES = ['a', 'a-b', 'b c', 'q"uote', 'back\\slash', '<&>', 'über', 'z'];

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-known-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const at = (name: string) => Buffer.from(`${folder}/${name}`);

function table(): EntryTable {
  const names = fs.readdirSync(folder, 'latin1').sort();
  const entries = new EntryTable(Buffer.from(folder), names.length);
  const open = new OpenFolder(Buffer.from(folder));
  for (const name of names) open.lookUp(name, entries);
  open.close();
  return entries;
}

function makeEntries(): void {
  for (const [number, name] of NAMES.entries()) {
    fs.writeFileSync(at(name), 'x'.repeat(number * 3));
    setTimes(at(name), 5n, BigInt(number) * 1_000_000_007n);
  }
  setXattr(at('z'), { name: Buffer.from('user.x'), value: Buffer.from('}],"content":') });
  fs.mkdirSync(at('folder'));
  fs.chmodSync(at('folder'), 0o1777);
  fs.symlinkSync('to "somewhere" \\ else', at('link'));
  makeFifo(at('pipe'), 0o600);
  fs.writeFileSync(Buffer.concat([at(''), Buffer.of(0x66, 0xff)]), '');
}

function nodesOf(entries: EntryTable, ids = 1): TreeNode[] {
  return entries.names.map((name, entry) => {
    const metadata = entries.metadata(entry);
    const node: TreeNode = {
      ...metadata,
      atimeNs: metadata.mtimeNs,
      name: Buffer.from(name, 'latin1'),
    };
    if (node.kind === 'file') node.content = Buffer.alloc(32 * ids, 7);
    if (node.kind === 'dir') node.subtree = ID;
    return node;
  });
}

const treeOf = (nodes: readonly TreeNode[]) => new KnownTree(ID, Buffer.concat(encodeTree(nodes)));

const textOf = (entries: EntryTable, entry: number) =>
  wholeText(
    entryText(entries, entry),
    entries.kind(entry) === 'file' ? entries.sizeBytes(entry) : 0,
  );

describe('the text of an entry', () => {
  it('is what a tree says of it', () => {
    makeEntries();
    const entries = table();
    for (const [entry, node] of nodesOf(entries).entries()) {
      const encoded = Buffer.concat(encodeTree([node])).toString('latin1');
      expect(encoded.slice('{"nodes":['.length).startsWith(textOf(entries, entry))).toBe(true);
    }
  });

  it('tells times as they are told elsewhere', () => {
    const seconds = fc.oneof(fc.integer(), fc.integer({ min: -(2 ** 36), max: 2 ** 38 }));
    fc.assert(
      fc.property(seconds, fc.nat({ max: 999_999_999 }), (s, ns) => {
        expect(formatGoSeconds(s, ns)).toBe(formatGoTime(BigInt(s) * 1_000_000_000n + BigInt(ns)));
      }),
    );
  });
});

describe('a known tree', () => {
  it.each([0, 1, 3])('is taken over whole where nothing changed (%d ids a file)', (ids) => {
    makeEntries();
    const entries = table();
    const nodes = nodesOf(entries, ids);
    const known = treeOf(nodes);
    for (const [entry, node] of nodes.entries()) {
      const taken = known.take(entries.names[entry] as string, textOf(entries, entry));
      expect(taken?.content).toEqual(node.content);
      expect(taken?.subtree).toBe(node.subtree);
      const alone = Buffer.concat(encodeTree([node]))
        .toString('latin1')
        .slice(10, -3);
      expect(known.bytes.toString('latin1', taken?.start, taken?.end)).toBe(alone);
      expect(known.isWhole).toBe(entry === nodes.length - 1);
    }
  });

  it('of an empty folder is whole at once', () => {
    expect(treeOf([]).isWhole).toBe(true);
  });

  it('finds what is the same among what was added, removed and changed, and is not whole', () => {
    makeEntries();
    const entries = table();
    const nodes = nodesOf(entries);
    const change = fc.constantFrom('keep', 'remove', 'change' as const);
    const changes = fc.array(change, { minLength: nodes.length, maxLength: nodes.length });
    fc.assert(
      fc.property(changes, fc.boolean(), (how, added) => {
        const before = nodes.flatMap((node, i) => {
          if (how[i] === 'remove') return [];
          return how[i] === 'change' ? [{ ...node, inode: node.inode + 1n }] : [node];
        });
        if (added) before.push({ ...madeMetadata('file', 0, 0n), name: Buffer.from('\xff\xff') });
        const known = treeOf(before);
        const taken = entries.names.map((name, i) => known.take(name, textOf(entries, i)));
        expect(taken.map((node) => node !== undefined)).toEqual(how.map((one) => one === 'keep'));
        expect(known.isWhole).toBe(!added && how.every((one) => one === 'keep'));
      }),
    );
  });

  it('that was written in another way is read as JSON, and counts as changed', () => {
    makeEntries();
    const entries = table();
    const odd = Buffer.concat(encodeTree(nodesOf(entries)))
      .toString('latin1')
      .replace('[{', '[ {');
    const known = new KnownTree(ID, Buffer.from(odd, 'latin1'));
    const taken = entries.names.map((name, i) => known.take(name, textOf(entries, i)));
    expect(taken).not.toContain(undefined);
    expect(known.isWhole).toBe(false);
  });

  it('that is cut or nonsense gives what can be read of it', () => {
    makeEntries();
    const entries = table();
    const { bytes } = treeOf(nodesOf(entries));
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 255 }), (cut, value) => {
        for (const broken of [bytes.subarray(0, cut), withByte(bytes, cut, value)]) {
          const known = new KnownTree(ID, broken);
          for (const [i, name] of entries.names.entries()) known.take(name, textOf(entries, i));
        }
      }),
    );
  });
});

function withByte(bytes: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = value;
  return copy;
}
