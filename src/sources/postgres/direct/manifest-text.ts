/** Writes a backup manifest (PostgreSQL documentation, "Backup Manifest Format"), as Postgres does without checksums. */

import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { bytesOf } from '../latin1.ts';
import { formatLsn } from '../lsn.ts';

export type ManifestHead = { majorVersion: number; systemIdentifier: string };
export type ManifestRange = { timeline: number; start: bigint; end: bigint };

/** From here on it names the system. */
const VERSION_2_FROM = 17;

export class ManifestText {
  readonly #parts: Buffer[] = [];
  readonly #hash = createHash('sha256');
  #isFirst = true;

  constructor({ majorVersion, systemIdentifier }: ManifestHead) {
    const version = majorVersion >= VERSION_2_FROM ? 2 : 1;
    const system = version === 2 ? `"System-Identifier": ${systemIdentifier},\n` : '';
    this.#add(`{ "PostgreSQL-Backup-Manifest-Version": ${version},\n${system}"Files": [`);
  }

  /** `path`: latin1 text of its raw bytes. */
  file(path: string, sizeBytes: number, mtimeSeconds: number): void {
    const raw = bytesOf(path);
    const name = isUtf8(raw)
      ? `"Path": ${JSON.stringify(raw.toString())}`
      : `"Encoded-Path": "${raw.toString('hex')}"`;
    const time = new Date(mtimeSeconds * 1000).toISOString().slice(0, 19).replace('T', ' ');
    const begin = this.#isFirst ? '\n' : ',\n';
    this.#isFirst = false;
    this.#add(`${begin}{ ${name}, "Size": ${sizeBytes}, "Last-Modified": "${time} GMT" }`);
  }

  /** Whole, and nothing more can be added. */
  finish({ timeline, start, end }: ManifestRange): Buffer[] {
    const lsns = `"Start-LSN": "${formatLsn(start)}", "End-LSN": "${formatLsn(end)}"`;
    this.#add(`\n],\n"WAL-Ranges": [\n{ "Timeline": ${timeline}, ${lsns} }\n],\n`);
    const last = `"Manifest-Checksum": "${this.#hash.digest('hex')}"}\n`;
    return [...this.#parts, Buffer.from(last)];
  }

  #add(text: string): void {
    const bytes = Buffer.from(text);
    this.#hash.update(bytes);
    this.#parts.push(bytes);
  }
}
