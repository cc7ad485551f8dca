/**
 * The next base, made of the one before and the WAL since, on a mounted copy: production sends nothing but its
 * configuration. The copy replays as a standby does, is never promoted, and is stopped cleanly. What a standby that was
 * shut down leaves is, with the WAL from its last restartpoint on, what a base backup of that standby would be
 * (PostgreSQL: xlogrecovery.c, `BACKUP FROM: standby`).
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import { sleepMs, systemCode } from '#base';
import type { AdvancedBase, RecoverRequest, SourceContext } from '../../source.ts';
import { errors } from '../errors.ts';
import { formatLsn, segmentStart } from '../lsn.ts';
import { runningPostmaster, startPostmaster, stopPostmaster } from '../recover/postmaster.ts';
import { type PreparedCopy, prepareCopy, whileFed } from '../recover/prepare.ts';
import { IN_VAIN } from '../recover/restore-script.ts';
import { writeSegments } from '../recover/wal-feed.ts';
import { AdvancedCapture } from './advanced-capture.ts';
import { askProduction } from './ask-production.ts';
import { type ControlFile, readControlFile } from './control-file.ts';

const POLL_MS = 20;
/** How often a standby looks for more WAL where there is none. */
const LOOKS_AGAIN_MS = 100;
/** While it finds its way into the WAL it may ask for a segment twice; at its end it asks for ever. */
const ASKED_IN_VAIN = 4;
/** Of the scratch folder: the WAL that the new base needs. */
const BASE_SEGMENTS = 'base-wal';

/**
 * Undefined where production has made no checkpoint since the base: from one made now, a recovery would replay as much.
 * @throws postgres/base-not-advanced, and what recovering it throws
 */
export async function advanceBase(
  request: RecoverRequest,
  context: SourceContext,
): Promise<AdvancedBase | undefined> {
  const { line } = request.capture.end;
  if (request.resolved?.position.line !== line) {
    throw errors.baseNotAdvanced([`it is of timeline ${line}, which has been left since`]);
  }
  const { uid, gid } = await fs.stat(request.directory);
  const copy = await prepareCopy(request, context);
  const { directory, feed, folders } = copy;
  const end = await whileFed(copy, (feeding) => replayAndStop(copy, feeding));
  const control = await readControlFile(directory);
  refuseUnfinished(control, line, end);
  if (control.redo <= request.capture.start.offset) return undefined;
  const segments = path.join(request.scratch, BASE_SEGMENTS);
  const first = segmentStart(control.redo, feed.segmentSizeBytes);
  await fs.rm(segments, { recursive: true, force: true });
  await fs.mkdir(segments, { mode: 0o700 });
  await writeSegments({ ...feed, folder: segments }, first, end);
  await fs.rm(folders.wal, { recursive: true, force: true });
  const { capture } = request;
  const now = await askProduction(request.own, context);
  const made = { control, end, segments, owner: { uid, gid } };
  return {
    capture: (store, left) => new AdvancedCapture({ store, before: capture, made, left, now }),
  };
}

/** Resolves to the end of what was replayed. */
async function replayAndStop(
  { feed, directory, state, folders }: PreparedCopy,
  feeding: Promise<bigint>,
): Promise<bigint> {
  const { binaries, user } = state;
  const { configFile, log: logFile } = folders;
  await startPostmaster(
    {
      ...{ binaries, directory, configFile, logFile, user },
      settings: [`wal_retrieve_retry_interval=${LOOKS_AGAIN_MS}`],
      until: 'standby',
    },
    feed.signal,
  );
  const end = await feeding;
  while (!(await hasAskedInVain(feed.folder))) {
    if ((await runningPostmaster(directory)) === undefined) {
      throw errors.baseNotAdvanced([`its server ended by itself: see ${logFile}`]);
    }
    await sleepMs(POLL_MS, feed.signal);
  }
  await stopPostmaster(directory);
  return end;
}

/** Behind all that it was given: what it asked for last, it asks for again and again. */
async function hasAskedInVain(feedFolder: string): Promise<boolean> {
  const text = await fs.readFile(path.join(feedFolder, IN_VAIN), 'utf8').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return '';
    throw error;
  });
  const last = text.trim().split('\n').slice(-ASKED_IN_VAIN);
  return last.length === ASKED_IN_VAIN && new Set(last).size === 1;
}

/** What the server itself noted as it stopped must be what a base needs. */
function refuseUnfinished(control: ControlFile, line: number, end: bigint): void {
  const { isShutDownInRecovery, isWithinBackup, timeline, consistentFrom } = control;
  const wrong =
    (!isShutDownInRecovery && 'its server was not shut down in recovery') ||
    (isWithinBackup && 'it did not get past the end of the base before') ||
    (timeline !== line && `it went on to timeline ${timeline}`) ||
    (consistentFrom > end && `it needs WAL up to ${formatLsn(consistentFrom)}`);
  if (wrong) throw errors.baseNotAdvanced([wrong]);
}
