import { createHash } from 'node:crypto';
import { errors } from '../errors.ts';

/** Longest line that is taken: a path of 4 KiB in hexadecimal and some fields are far below. */
const LONGEST_LINE_BYTES = 64 * 1024;
const CHECKSUM_LINE = '"Manifest-Checksum"';

export type SeenFile = { sizeBytes: number; crc32c: number };

type ManifestFile = { path: string; sizeBytes: number; crc32c: number | undefined };

/**
 * Compares a backup manifest (PostgreSQL documentation, "Backup Manifest Format") with what came over the wire, line by
 * line as it arrives: Postgres writes one file a line. Its own SHA-256 covers all lines before the one that holds it.
 */
export class ManifestCheck {
  readonly #seen = new Map<string, SeenFile>();
  readonly #hash = createHash('sha256');
  readonly #wrong: string[] = [];
  #wrongCount = 0;
  #line: Buffer[] = [];
  #lineBytes = 0;
  #state: 'before-files' | 'files' | 'after-files' | 'ended' = 'before-files';

  /** A file of the backup went by. Paths as latin1 text of their raw bytes. */
  saw(path: string, file: SeenFile): void {
    this.#seen.set(path, file);
  }

  take(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      const newline = bytes.indexOf(0x0a, at);
      const end = newline === -1 ? bytes.length : newline + 1;
      this.#line.push(bytes.subarray(at, end));
      this.#lineBytes += end - at;
      if (this.#lineBytes > LONGEST_LINE_BYTES) throw malformed('a line is too long');
      if (newline !== -1) this.#lineComplete();
      at = end;
    }
  }

  /**
   * After the last byte. Files of WAL and the manifest itself aren't in a manifest.
   * @throws postgres/manifest-mismatch, postgres/protocol-broken
   */
  finish(): void {
    if (this.#lineBytes > 0) this.#lineComplete();
    if (this.#state !== 'ended') throw malformed('it ends without its checksum');
    for (const path of this.#seen.keys()) {
      if (!path.startsWith('pg_wal/')) this.#isWrong(`${path} came and isn't in it`);
    }
    if (this.#wrongCount > 0) {
      throw errors.manifestMismatch([this.#wrong.join('; '), this.#wrongCount]);
    }
  }

  #lineComplete(): void {
    const line = this.#line.length === 1 ? (this.#line[0] as Buffer) : Buffer.concat(this.#line);
    this.#line = [];
    this.#lineBytes = 0;
    const text = line.toString('latin1').trim();
    if (text.startsWith(CHECKSUM_LINE)) {
      this.#checkItself(text);
      return;
    }
    if (this.#state === 'ended') throw malformed('it goes on after its checksum');
    this.#hash.update(line);
    if (text.startsWith('"Files"')) this.#state = 'files';
    else if (this.#state === 'files' && text.startsWith('],')) this.#state = 'after-files';
    else if (this.#state === 'files') this.#checkFile(parseFile(text));
  }

  #checkFile(file: ManifestFile): void {
    const seen = this.#seen.get(file.path);
    this.#seen.delete(file.path);
    if (seen === undefined) this.#isWrong(`${file.path} didn't come`);
    else if (seen.sizeBytes !== file.sizeBytes) {
      this.#isWrong(`${file.path} has ${seen.sizeBytes} bytes instead of ${file.sizeBytes}`);
    } else if (file.crc32c !== undefined && seen.crc32c !== file.crc32c) {
      this.#isWrong(`${file.path} has another checksum`);
    }
  }

  #checkItself(text: string): void {
    const told = /^"Manifest-Checksum":\s*"([0-9a-f]{64})"\s*}$/.exec(text)?.[1];
    if (told === undefined) throw malformed('its checksum is no SHA-256');
    if (this.#hash.digest('hex') !== told) this.#isWrong('the manifest has another checksum');
    this.#state = 'ended';
  }

  #isWrong(what: string): void {
    this.#wrongCount += 1;
    if (this.#wrong.length === 0) this.#wrong.push(what);
  }
}

function parseFile(text: string): ManifestFile {
  let parsed: Record<string, unknown>;
  try {
    parsed = Object(JSON.parse(text.replace(/,$/, '')));
  } catch (cause) {
    throw malformed('a line is no file', cause);
  }
  const encoded = parsed['Encoded-Path'];
  // The text was read as latin1, so a path in it is that of its raw bytes already.
  const path = typeof encoded === 'string' ? hexToLatin1(encoded) : parsed.Path;
  if (typeof path !== 'string' || typeof parsed.Size !== 'number') {
    throw malformed('a file lacks path or size');
  }
  const isCrc = parsed['Checksum-Algorithm'] === 'CRC32C';
  const checksum = String(parsed.Checksum);
  if (isCrc && !/^[0-9a-f]{8}$/i.test(checksum)) throw malformed('a checksum is none');
  return {
    path,
    sizeBytes: parsed.Size,
    crc32c: isCrc ? Buffer.from(checksum, 'hex').readUInt32LE(0) : undefined,
  };
}

function hexToLatin1(hex: string): string {
  return Buffer.from(hex, 'hex').toString('latin1');
}

function malformed(what: string, cause?: unknown) {
  return errors.protocolBroken([`the backup manifest is malformed: ${what}`], { cause });
}
