import fs from 'node:fs/promises';
import path from 'node:path';
import { errors } from '../errors.ts';

/**
 * What `global/pg_control` says of a data directory on which no server runs (PostgreSQL: catalog/pg_control.h, 13 to 18).
 */
export type ControlFile = {
  /** Stopped in the middle of recovery, with everything written out: it could go on from there. */
  isShutDownInRecovery: boolean;
  checkpoint: bigint;
  /** Where replay must begin. */
  redo: bigint;
  timeline: number;
  /** Replay must have come this far before the files agree with each other; 0: they do. */
  consistentFrom: bigint;
  /** The base that it was made of wasn't complete yet. */
  isWithinBackup: boolean;
};

const VERSION_AT = 8;
const KNOWN_VERSIONS: readonly number[] = [1300, 1700, 1800];
const STATE_AT = 16;
/** DB_SHUTDOWNED_IN_RECOVERY of enum DBState. */
const SHUT_DOWN_IN_RECOVERY = 2;
const CHECKPOINT_AT = 32;
const REDO_AT = 40;
const TIMELINE_AT = 48;
const MIN_RECOVERY_POINT_AT = 136;
const BACKUP_START_AT = 152;
const BACKUP_END_REQUIRED_AT = 168;

/**
 * Timeline of the last checkpoint that was completed, also while a server runs there: it is written last, in one piece.
 * Undefined where it is of a version that isn't known here.
 */
export async function checkpointTimeline(directory: string): Promise<number | undefined> {
  const bytes = await controlBytes(directory);
  const isKnown = KNOWN_VERSIONS.includes(bytes.readUInt32LE(VERSION_AT));
  return isKnown ? bytes.readUInt32LE(TIMELINE_AT) : undefined;
}

/** @throws postgres/base-not-advanced where it is of a version that isn't known here */
export async function readControlFile(directory: string): Promise<ControlFile> {
  const bytes = await controlBytes(directory);
  const version = bytes.readUInt32LE(VERSION_AT);
  if (!KNOWN_VERSIONS.includes(version)) {
    throw errors.baseNotAdvanced([`its control file is of version ${version}, which is not known`]);
  }
  return {
    isShutDownInRecovery: bytes.readUInt32LE(STATE_AT) === SHUT_DOWN_IN_RECOVERY,
    checkpoint: bytes.readBigUInt64LE(CHECKPOINT_AT),
    redo: bytes.readBigUInt64LE(REDO_AT),
    timeline: bytes.readUInt32LE(TIMELINE_AT),
    consistentFrom: bytes.readBigUInt64LE(MIN_RECOVERY_POINT_AT),
    isWithinBackup:
      bytes.readBigUInt64LE(BACKUP_START_AT) !== 0n ||
      bytes.readUInt8(BACKUP_END_REQUIRED_AT) !== 0,
  };
}

function controlBytes(directory: string): Promise<Buffer> {
  return fs.readFile(path.join(directory, 'global', 'pg_control'));
}
