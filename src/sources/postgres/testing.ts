/** What tests of this source share: a store of a test server, and a capture written to a folder. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { quietLogger, silent } from '#base';
import type { CaptureOutcome, SourceContext, StoreSettings } from '../source.ts';
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

export type CapturedFolder = { outcome: CaptureOutcome; problems: string[]; paths: string[] };

/** Writes a base backup as recovery would find it: the restored tree, owned by the server's user. */
export async function captureTo(
  target: string,
  server: TestServer,
  store: StoreSettings<PostgresConfig>,
): Promise<CapturedFolder> {
  const capture = await captureBase(store, contextIn(server.folder));
  const problems: string[] = [];
  const paths: string[] = [];
  try {
    for await (const event of capture.events()) {
      if (event.kind === 'problem') problems.push(`${event.path}: ${event.what}`);
      if (event.kind !== 'entry') continue;
      const file = path.join(target, event.path.toString());
      paths.push(event.path.toString());
      if (event.metadata.kind === 'dir') await fs.mkdir(file, event.metadata.permissions);
      if (event.metadata.kind === 'symlink') {
        await fs.symlink(event.metadata.linkTarget?.toString() ?? '', file);
      }
      if (event.content.from === 'stream') {
        const handle = await fs.open(file, 'wx', event.metadata.permissions);
        await writeSparsely(handle, event.content.bytes);
        await handle.close();
      }
      await fs.lchown(file, server.user.uid, server.user.gid);
    }
    return { outcome: await capture.outcome(), problems, paths };
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
