import type { ReplicationMessage } from '../connection/index.ts';
import { errors } from '../errors.ts';
import { parseLsn } from '../lsn.ts';

export type Tablespace = { oid: string; location: string };

export type WalPosition = { lsn: bigint; timeline: number };

/** A base backup as it comes over the wire, whatever the version: archives one after another, then the manifest. */
export type BackupPart =
  | { kind: 'start'; at: WalPosition }
  | { kind: 'tablespaces'; tablespaces: Tablespace[] }
  /** Undefined: the data directory itself. Bytes until the next part of another kind are its tar. */
  | { kind: 'archive'; tablespace: string | undefined }
  | { kind: 'manifest' }
  | { kind: 'bytes'; bytes: Buffer }
  | { kind: 'end'; at: WalPosition };

const NEW_ARCHIVE = 0x6e; // 'n'
const NEW_MANIFEST = 0x6d; // 'm'
const DATA = 0x64; // 'd'
const PROGRESS = 0x70; // 'p'

/** Reads the answer to BASE_BACKUP message by message (PostgreSQL documentation, "Streaming Replication Protocol"). */
export class BackupReader {
  readonly #oneCopy: boolean;
  /** What the message under way is, where it comes in parts. */
  #underWay: number | undefined;
  #rowSets = 0;
  #rows: (string | null)[][] = [];
  #copies = 0;
  #order: (string | undefined)[] = [];

  constructor(serverVersion: number) {
    this.#oneCopy = serverVersion >= 150_000;
  }

  /** The parts of one message; mostly one. */
  read(message: ReplicationMessage): BackupPart[] {
    switch (message.kind) {
      case 'columns':
        this.#rows = [];
        this.#rowSets += 1;
        return [];
      case 'row':
        this.#rows.push(message.values);
        return this.#rowSets === 2 ? [] : [this.#position(message.values)];
      case 'copy-begins':
        return this.#copyBegins();
      case 'data':
        return this.#data(message.bytes, message.goesOn === true);
      case 'copy-ends':
        return [];
      case 'complete':
        return [];
    }
  }

  #data(bytes: Buffer, goesOn: boolean): BackupPart[] {
    if (!this.#oneCopy) return [{ kind: 'bytes', bytes }];
    if (!goesOn) {
      this.#underWay = bytes[0];
      return dataOfOneCopy(bytes);
    }
    // Messages of other kinds are short: they come whole.
    if (this.#underWay !== DATA) throw errors.protocolBroken(['a message of BASE_BACKUP is long']);
    return [{ kind: 'bytes', bytes }];
  }

  #position(values: (string | null)[]): BackupPart {
    const lsn = parseLsn(values[0] ?? '');
    const timeline = Number(values[1]);
    if (lsn === undefined || !Number.isInteger(timeline)) {
      throw errors.protocolBroken(['a row of BASE_BACKUP holds no WAL position']);
    }
    return { kind: this.#rowSets === 1 ? 'start' : 'end', at: { lsn, timeline } };
  }

  #copyBegins(): BackupPart[] {
    const parts: BackupPart[] = [];
    if (this.#copies === 0) {
      this.#order = this.#rows.map((row) => row[0] ?? undefined);
      const tablespaces = this.#rows.flatMap(([oid, location]) =>
        oid === null || oid === undefined ? [] : [{ oid, location: location ?? '' }],
      );
      parts.push({ kind: 'tablespaces', tablespaces });
    }
    if (!this.#oneCopy) {
      // Up to 14: one copy for each row of the header, in its order, and one more for the manifest.
      parts.push(
        this.#copies < this.#order.length
          ? { kind: 'archive', tablespace: this.#order[this.#copies] }
          : { kind: 'manifest' },
      );
    }
    this.#copies += 1;
    return parts;
  }
}

function dataOfOneCopy(message: Buffer): BackupPart[] {
  switch (message[0]) {
    case DATA:
      return [{ kind: 'bytes', bytes: message.subarray(1) }];
    case PROGRESS:
      return [];
    case NEW_MANIFEST:
      return [{ kind: 'manifest' }];
    case NEW_ARCHIVE: {
      const name = message.toString('utf8', 1, message.indexOf(0, 1));
      const oid = /^(\d+)\.tar$/.exec(name)?.[1];
      if (oid === undefined && name !== 'base.tar') {
        throw errors.protocolBroken([`an archive is named ${name}`]);
      }
      return [{ kind: 'archive', tablespace: oid }];
    }
    default:
      throw errors.protocolBroken([`BASE_BACKUP sent a message of kind ${message[0]}`]);
  }
}
