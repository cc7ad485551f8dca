/** What tests of this source share: a store of a test server, and a capture written to a folder. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { type FileMetadata, type OpenReadingCheck, quietLogger, silent } from '#base';
import type { CaptureOutcome, EntryContent, SourceContext, StoreSettings } from '../source.ts';
import { captureBase } from './base/capture.ts';
import { type PostgresConfig, postgresSchema } from './config.ts';
import type { TestServer } from './test-server.ts';

export function storeAt(
  server: TestServer,
  own: Record<string, unknown> = {},
): StoreSettings<PostgresConfig> {
  return {
    name: 'orders',
    environment: 'shop',
    stage: 'test',
    rpoMs: 5000,
    protect: { kind: 'continuous' },
    own: postgresSchema.parse({ url: server.url(), ...own }),
  };
}

export function contextIn(stateFolder: string, signal?: AbortSignal): SourceContext {
  return {
    log: quietLogger,
    progress: silent,
    signal: signal ?? new AbortController().signal,
    stateFolder,
  };
}

export type CapturedFolder = {
  outcome: CaptureOutcome;
  problems: string[];
  paths: string[];
  entries: Map<string, FileMetadata>;
};

export type CaptureToOptions = {
  /** As the repository's threads read files in place; else the server sends them. */
  takesLiveFiles?: boolean;
  signal?: AbortSignal;
  /** Before each file. */
  onEntry?: (path: string) => Promise<void> | void;
};

/** Writes a base backup as recovery would find it: the restored tree, owned by the server's user. */
export async function captureTo(
  target: string,
  server: TestServer,
  store: StoreSettings<PostgresConfig>,
  { takesLiveFiles = false, signal, onEntry }: CaptureToOptions = {},
): Promise<CapturedFolder> {
  const context = contextIn(server.folder, signal);
  const capture = await captureBase(store, context, { takesLiveFiles });
  const problems: string[] = [];
  const entries = new Map<string, FileMetadata>();
  try {
    for await (const event of capture.events()) {
      if (event.kind === 'problem') problems.push(`${event.path}: ${event.what}`);
      if (event.kind !== 'entry') continue;
      const file = path.join(target, event.path.toString());
      await onEntry?.(event.path.toString());
      entries.set(event.path.toString(), event.metadata);
      if (event.metadata.kind === 'dir') await fs.mkdir(file, event.metadata.permissions);
      if (event.metadata.kind === 'symlink') {
        await fs.symlink(event.metadata.linkTarget?.toString() ?? '', file);
      }
      if (event.content.from === 'stream') {
        const handle = await fs.open(file, 'wx', event.metadata.permissions);
        await writeSparsely(handle, event.content.bytes);
        await handle.close();
      }
      if (event.content.from === 'live') {
        const isThere = await writeLive(file, event.metadata, event.content);
        if (!isThere) {
          entries.delete(event.path.toString());
          continue;
        }
      }
      await fs.lchown(file, server.user.uid, server.user.gid);
    }
    return { outcome: await capture.outcome(), problems, paths: [...entries.keys()], entries };
  } finally {
    await capture.close();
  }
}

/** Zeros take no room: a large relation may be mostly such. */
async function writeSparsely(
  handle: fs.FileHandle,
  parts: AsyncIterable<Uint8Array>,
): Promise<void> {
  let at = 0;
  for await (const bytes of parts) {
    const isZero = bytes[0] === 0 && Buffer.compare(bytes.subarray(1), bytes.subarray(0, -1)) === 0;
    if (!isZero) await handle.write(bytes, 0, bytes.length, at);
    at += bytes.length;
  }
  await handle.truncate(at);
}

/** False where it is gone. */
async function writeLive(
  file: string,
  { permissions, sizeBytes }: FileMetadata,
  { absolutePath, check, ended }: EntryContent & { from: 'live' },
): Promise<boolean> {
  const there = await fs.readFile(absolutePath).catch(() => undefined);
  if (!there) {
    ended({ kind: 'gone' });
    return false;
  }
  const bytes = Buffer.alloc(Number(sizeBytes));
  there.copy(bytes);
  await fs.writeFile(file, bytes, { flag: 'wx', mode: permissions });
  let wrong: number[] = [];
  if (check) {
    const module: { openReadingCheck: OpenReadingCheck } = await import(check.module);
    const checker = module.openReadingCheck(check.settings);
    const room = checker.room(bytes.length).subarray(0, bytes.length);
    bytes.copy(room);
    wrong = checker.wrongUnits(room, 0);
  }
  ended({ kind: 'read', wrong });
  return true;
}
