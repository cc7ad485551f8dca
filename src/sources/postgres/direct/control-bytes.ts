/** `global/pg_control` of a running server, which writes it in one piece, but may do so while it is read. */
import fs from 'node:fs/promises';
import { sleepMs } from '#base';
import { errors } from '../errors.ts';
import { CRC32C_START, crc32cEnd, crc32cUpdate } from '../wal/crc32c.ts';

/** Its facts, with the checksum behind them, lie in the first sector; how long they are depends on the version. */
const FACTS_BYTES = 512;
const LEAST_FACTS_BYTES = 128;
const READINGS = 20;
const AGAIN_AFTER_MS = 10;
const CATALOG_VERSION_AT = 12;

export async function readControl(directory: string, signal: AbortSignal): Promise<Buffer> {
  for (let reading = 0; reading < READINGS; reading += 1) {
    const bytes = await fs.readFile(controlFileOf(directory));
    if (hasRightChecksum(bytes)) return bytes;
    await sleepMs(AGAIN_AFTER_MS, signal);
  }
  throw errors.backupRefused(['the checksum of global/pg_control is wrong']);
}

/** What a server is known by, and what the folder in each of its tablespaces is named after. */
export async function controlIdentity(
  directory: string,
): Promise<{ systemIdentifier: string; catalogVersion: number }> {
  const bytes = await fs.readFile(controlFileOf(directory));
  return {
    systemIdentifier: bytes.readBigUInt64LE(0).toString(),
    catalogVersion: bytes.readUInt32LE(CATALOG_VERSION_AT),
  };
}

export const controlFileOf = (directory: string): string => `${directory}/global/pg_control`;

/** The checksum of all bytes before it stands behind one of the first numbers. */
function hasRightChecksum(bytes: Buffer): boolean {
  let state = CRC32C_START;
  for (let at = 0; at + 4 <= Math.min(bytes.length, FACTS_BYTES); at += 4) {
    if (at >= LEAST_FACTS_BYTES && bytes.readUInt32LE(at) === crc32cEnd(state)) return true;
    state = crc32cUpdate(state, bytes, at, at + 4);
  }
  return false;
}
