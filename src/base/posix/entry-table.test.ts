import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { EntryTable } from './entry-table.ts';
import { readMetadata } from './metadata.ts';
import { OpenFolder } from './open-folder.ts';
import { makeDevice, makeFifo } from './special-files.ts';
import { setTimes } from './times.ts';
import { setXattr } from './xattrs.ts';

let folder: string;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-table-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

function tableOf(names: readonly string[]): EntryTable {
  const table = new EntryTable(Buffer.from(folder), names.length);
  const open = new OpenFolder(Buffer.from(folder));
  for (const name of names) open.lookUp(name, table);
  open.close();
  return table;
}

it('tells what looking up each entry by its path tells', () => {
  fs.writeFileSync(path.join(folder, 'file'), 'content');
  fs.chmodSync(path.join(folder, 'file'), 0o6751);
  setXattr(Buffer.from(path.join(folder, 'file')), {
    name: Buffer.from('user.a'),
    value: Buffer.from('b'),
  });
  fs.writeFileSync(path.join(folder, 'old'), '');
  setTimes(Buffer.from(path.join(folder, 'old')), -1n, -123_456_789_012_345_678n);
  fs.linkSync(path.join(folder, 'file'), path.join(folder, 'link'));
  fs.symlinkSync('nowhere', path.join(folder, 'symlink'));
  fs.mkdirSync(path.join(folder, 'folder'));
  fs.truncateSync(path.join(folder, 'old'), 2 ** 40 + 1);
  makeFifo(Buffer.from(path.join(folder, 'fifo')), 0o640);
  const names = ['fifo', 'file', 'folder', 'link', 'old', 'symlink'];
  if (process.getuid?.() === 0) {
    makeDevice(Buffer.from(path.join(folder, 'tape')), 'chardev', 0o600, 0x9_0103n);
    names.push('tape');
  }
  const odd = Buffer.from([0x66, 0xff, 0x0a]);
  fs.writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), odd]), 'x');
  names.push(odd.toString('latin1'));

  const table = tableOf(names);
  expect(table.length).toBe(names.length);
  for (let entry = 0; entry < names.length; entry += 1) {
    const expected = readMetadata(table.path(entry));
    expect(table.metadata(entry)).toEqual(expected);
    expect(table.kind(entry)).toBe(expected.kind);
    expect(table.permissions(entry)).toBe(expected.permissions);
    expect(BigInt(table.links(entry))).toBe(expected.links);
    if (expected.kind === 'file') expect(BigInt(table.sizeBytes(entry))).toBe(expected.sizeBytes);
    expect(ns(table.mtimeSeconds(entry), table.mtimeNanoseconds(entry))).toBe(expected.mtimeNs);
    expect(ns(table.ctimeSeconds(entry), table.ctimeNanoseconds(entry))).toBe(expected.ctimeNs);
  }
});

const ns = (seconds: number, nanoseconds: number) =>
  BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);

it('adds nothing where there is no such entry', () => {
  const table = new EntryTable(Buffer.from(folder), 1);
  const open = new OpenFolder(Buffer.from(folder));
  expect(() => open.lookUp('nothing', table)).toThrow(/ENOENT/);
  open.close();
  expect(table.length).toBe(0);
});

it('opens no link in place of a folder', () => {
  fs.symlinkSync(folder, path.join(folder, 'link'));
  expect(() => new OpenFolder(Buffer.from(path.join(folder, 'link')))).toThrow(/ELOOP|ENOTDIR/);
});
