/**
 * A process that ships a journal until it kills itself at a crash point. Prints each position that it would report as
 * flushed, one a line, before anything else happens.
 * Arguments: repository, spool folder, store, crash point, its how-manieth time, end of the journal.
 */
import fs from 'node:fs';
import { quietLogger, Secret } from '#base';
import { openRepository, openStorage } from '#repository';
import type { CrashPointName } from '../crash-point.ts';
import { openJournalShipping } from './shipping.ts';

export const SEGMENT_BYTES = 4096;
export const FIXTURE_PASSWORD = 'shipping';

/** The byte of a journal that belongs at a place. */
export function journalBytes(line: number, from: bigint, to: bigint): Buffer {
  const bytes = Buffer.alloc(Number(to - from));
  for (let index = 0; index < bytes.length; index += 1)
    bytes[index] = Number(((from + BigInt(index)) * 2654435761n + BigInt(line)) >> 7n) & 0xff;
  return bytes;
}

async function main(
  repositoryFolder: string,
  spoolFolder: string,
  store: string,
  crashAt: CrashPointName,
  times: number,
  end: bigint,
): Promise<void> {
  let left = times;
  const repository = await openRepository({
    storage: await openStorage(repositoryFolder),
    password: new Secret(FIXTURE_PASSWORD),
  });
  const shipping = await openJournalShipping({
    repository,
    address: { environment: 'shop', stage: 'test', store },
    source: 'postgres',
    spoolFolder,
    log: quietLogger,
    segmentSizeBytes: SEGMENT_BYTES,
    batchAtBytes: 2 * SEGMENT_BYTES,
    joinAbove: 3,
    shipEveryMs: 1,
    housekeepEveryMs: 0,
    crashPoint(name) {
      if (name !== crashAt) return;
      left -= 1;
      if (left <= 0) process.kill(process.pid, 'SIGKILL');
    },
  });
  const say = () => {
    const flushed = shipping.flushable();
    // Synchronous: it must be out before whatever comes next.
    if (flushed) fs.writeSync(1, `${flushed.offset}\n`);
  };
  shipping.onFlushable(say);
  say();
  let at = shipping.resumeFrom()?.offset ?? 0n;
  while (at < end) {
    const to = at + 700n < end ? at + 700n : end;
    shipping.append(1, at, journalBytes(1, at, to), Number(to));
    at = to;
    await shipping.ready();
    await shipping.shipAll();
    if (shipping.status().pieces > 12) await shipping.housekeep();
  }
  await shipping.housekeep();
  await shipping.close();
  await repository.close();
}

if (process.argv[1] === import.meta.filename) {
  const [repositoryFolder, spoolFolder, store, crashAt, times, end] = process.argv.slice(2);
  await main(
    repositoryFolder as string,
    spoolFolder as string,
    store as string,
    crashAt as CrashPointName,
    Number(times),
    BigInt(end as string),
  );
}
