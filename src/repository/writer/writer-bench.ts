/** What the writer's tests stand on: an empty repository on a storage that can be made to fail, and files. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { Secret } from '#base';
import { createRepository } from '../open.ts';
import type { Repository } from '../repository.ts';
import { FaultyStorage } from '../storage/faulty.ts';
import { MemoryStorage } from '../storage/memory.ts';
import { openWriter, type WriterOptions } from './open-writer.ts';
import type { RepositoryWriter } from './writer.ts';

export const KIB = 1024;
export const MIB = 1024 * KIB;

export type WriterBench = {
  folder: string;
  memory: MemoryStorage;
  storage: FaultyStorage;
  repository: Repository;
  /** Given up after the test, whatever became of it. */
  open(options?: WriterOptions): Promise<RepositoryWriter>;
  /** Writes a file into the folder. */
  file(name: string, content: string | Buffer): { path: Buffer; sizeBytes: number };
  contentOf(ids: Buffer): Promise<Buffer>;
  namesIn(prefix: string): Promise<string[]>;
};

/** Call it at the top of a test file; what it returns is filled before each test. */
export function useWriterBench(): WriterBench {
  const bench = {} as WriterBench;
  let writers: RepositoryWriter[] = [];

  beforeEach(async () => {
    const memory = new MemoryStorage();
    const storage = new FaultyStorage(memory);
    const scrypt = { N: 1024, r: 8, p: 1 };
    const repository = await createRepository({ storage, password: new Secret('test'), scrypt });
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-writer-'));
    writers = [];
    Object.assign(bench, { folder, memory, storage, repository });
  });

  afterEach(async () => {
    for (const writer of writers) await writer.abort();
    await bench.repository.close();
    fs.rmSync(bench.folder, { recursive: true, force: true });
  });

  bench.open = async (options = {}) => {
    const writer = await openWriter(bench.repository, { workers: 2, ...options });
    writers.push(writer);
    return writer;
  };
  bench.file = (name, content) => {
    const whole = path.join(bench.folder, name);
    fs.writeFileSync(whole, content);
    return { path: Buffer.from(whole), sizeBytes: content.length };
  };
  bench.contentOf = async (ids) => {
    const parts: Buffer[] = [];
    for (let at = 0; at < ids.length; at += 32) {
      parts.push(await bench.repository.readBlob('data', ids.subarray(at, at + 32)));
    }
    return Buffer.concat(parts);
  };
  bench.namesIn = async (prefix) => {
    const names: string[] = [];
    for await (const { name } of bench.storage.list(prefix)) names.push(name);
    return names;
  };
  return bench;
}

export async function* pieces(body: Buffer, pieceBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < body.length; at += pieceBytes) yield body.subarray(at, at + pieceBytes);
}

/** Six pieces that nothing can compress. */
export const noise = () => pieces(randomBytes(6 * MIB), MIB);
