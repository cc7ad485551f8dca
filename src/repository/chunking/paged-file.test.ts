import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Chunking } from '../writer/writer.ts';
import { chunkingOfFile } from './paged-file.ts';

const MIB = 1024 * 1024;
const PAGED = { kind: 'fixed', sizeBytes: 32 * 1024 };
const CONTENT = { kind: 'content' };

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-paged-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

function chunkingAt(file: string): Chunking {
  const handle = fs.openSync(file, 'r');
  try {
    return chunkingOfFile(handle, fs.fstatSync(handle).size);
  } finally {
    fs.closeSync(handle);
  }
}

function chunkingOf(bytes: Buffer): Chunking {
  fs.writeFileSync(`${folder}/file`, bytes);
  return chunkingAt(`${folder}/file`);
}

it('takes databases and images of disks by pages', () => {
  const database = new DatabaseSync(`${folder}/db`);
  database.exec('create table t (a text)');
  const insert = database.prepare('insert into t values (?)');
  database.exec('begin');
  for (let i = 0; i < 20_000; i += 1) insert.run(`row ${i} ${'x'.repeat(i % 200)}`);
  database.exec('commit');
  database.close();
  expect(chunkingAt(`${folder}/db`)).toEqual(PAGED);

  fs.writeFileSync(`${folder}/disk`, '');
  fs.truncateSync(`${folder}/disk`, 16 * MIB);
  execFileSync('/sbin/mkfs.ext4', ['-q', `${folder}/disk`]);
  expect(chunkingAt(`${folder}/disk`)).toEqual(PAGED);
});

it.each([8, 16])('takes pages of %d KiB by their headers, free ones among them', (kib) => {
  const pages = randomBytes(4 * MIB);
  for (let at = 0; at < pages.length; at += kib * 1024) {
    pages.writeUInt16LE(0x2004, at + 18);
    pages.writeUInt16LE(0x2000, at + 16);
    if (at % (64 * 1024) === 0) pages.fill(0, at, at + kib * 1024);
  }
  expect(chunkingOf(pages)).toEqual(PAGED);
});

it('cuts everything else by its content', () => {
  expect(chunkingOf(randomBytes(4 * MIB))).toEqual(CONTENT);
  expect(chunkingOf(Buffer.alloc(4 * MIB))).toEqual(CONTENT);
  expect(chunkingOf(Buffer.alloc(4 * MIB, 'all the same '))).toEqual(CONTENT);
  expect(chunkingOf(Buffer.alloc(4 * MIB, '0123456789abcde\n'))).toEqual(CONTENT);
  expect(chunkingOf(Buffer.from(`SQLite format 3\0${'x'.repeat(100)}`))).toEqual(CONTENT);
  expect(chunkingAt(process.execPath)).toEqual(CONTENT);
});

it('keeps trees and indexes of the largest ones small', () => {
  fs.writeFileSync(`${folder}/huge`, 'QFI\xfb', 'latin1');
  fs.truncateSync(`${folder}/huge`, 2 ** 40);
  expect(chunkingAt(`${folder}/huge`)).toEqual({ kind: 'fixed', sizeBytes: 512 * 1024 });
});
