/** The parity of an open repository: written as packs are, and used where a pack is damaged. */
import { formatCounted, HoldfastError, messageOf, systemClock, timedId } from '#base';
import { ownBuffer } from '../blobs/own-buffer.ts';
import { isAbsence } from '../copies/second-copies.ts';
import { packName } from '../names.ts';
import { writeMend } from '../records/mends.ts';
import type { Mend } from '../records/records.ts';
import type { SealedFiles } from '../sealed/sealed-files.ts';
import type { Storage } from '../storage/storage.ts';
import type { MendJobAnswer } from './parity-job.ts';
import { parityName } from './parity-names.ts';
import { type ParitySetting, StoredParitySetting } from './parity-setting.ts';
import { ParityThread } from './parity-thread.ts';
import { decodeSidecar } from './sidecar.ts';

/** A pack that couldn't be mended isn't read again for each of its blobs. */
const FAILED_PAUSE_MS = 60_000;

export type PackMend =
  /** There is no sidecar. */
  | { outcome: 'no-parity' }
  /** Read once more, it was right: nothing was to be mended. */
  | { outcome: 'whole'; bytes: Buffer }
  /** `unwritten`: why the right bytes couldn't be stored, where they couldn't. */
  | { outcome: 'mended'; bytes: Buffer; what: string; unwritten?: string }
  | { outcome: 'beyond'; why: string };

/** What led to a mend. */
export type MendedBy = 'check' | 'read' | 'repair';

export class PackParity {
  readonly #storage: Storage;
  readonly #sealed: SealedFiles;
  readonly #thread = new ParityThread();
  readonly #setting: StoredParitySetting;
  readonly #underway = new Map<string, Promise<PackMend>>();
  readonly #failedMs = new Map<string, number>();
  readonly #mends: Mend[] = [];

  constructor(storage: Storage, sealed: SealedFiles) {
    this.#storage = storage;
    this.#sealed = sealed;
    this.#setting = new StoredParitySetting(sealed);
  }

  /** Packs that were mended since the repository was opened, in their order. */
  get mends(): readonly Mend[] {
    return this.#mends;
  }

  /** Ends the thread. */
  close(): Promise<void> {
    return this.#thread.close();
  }

  setting(): Promise<ParitySetting> {
    return this.#setting.read();
  }

  /** Durable when it resolves; sessions that go on meanwhile follow within a minute. Throws `repository/parity-overhead`. */
  change(setting: ParitySetting): Promise<void> {
    return this.#setting.write(setting);
  }

  /** For writers, when a pack is durable (`parts` follow one another). Resolves when its sidecar is, if there is to be one. */
  async packStored(packId: string, parts: readonly Uint8Array[]): Promise<void> {
    const { on } = await this.setting();
    if (on) await this.#write(packId, joined(parts));
  }

  /** For packs that were stored without. Resolves to the sidecar's length, or to undefined where the pack isn't whole. */
  async writeFor(packId: string): Promise<number | undefined> {
    return this.#write(packId, ownBuffer(await this.#storage.read(packName(packId))));
  }

  /** Undefined where the pack has no sidecar; false where that is damaged, at least in part. */
  async isWhole(packId: string): Promise<boolean | undefined> {
    const bytes = await this.#readSidecar(packId);
    return bytes && decodeSidecar(packId, bytes)?.whole === true;
  }

  /**
   * Reads the pack and brings it back by its parity where it isn't whole: written anew under its name, and noted. Calls
   * for one pack at one time share the work.
   */
  mend(packId: string, by: MendedBy): Promise<PackMend> {
    const underway = this.#underway.get(packId);
    if (underway) return underway;
    const work = this.#mend(packId, by).finally(() => this.#underway.delete(packId));
    this.#underway.set(packId, work);
    return work;
  }

  /** Whether `mend` would bring it back. Changes nothing. */
  async canMend(packId: string): Promise<boolean> {
    const answer = await this.#bringBack(packId);
    return answer !== undefined && answer.outcome !== 'beyond';
  }

  async #mend(packId: string, by: MendedBy): Promise<PackMend> {
    const failedMs = this.#failedMs.get(packId) ?? Number.NEGATIVE_INFINITY;
    if (by === 'read' && systemClock.monotonicMs() - failedMs < FAILED_PAUSE_MS) {
      return { outcome: 'beyond', why: 'its parity has not brought it back' };
    }
    const answer = await this.#bringBack(packId);
    if (!answer) return { outcome: 'no-parity' };
    if (answer.outcome === 'beyond') {
      this.#failedMs.set(packId, systemClock.monotonicMs());
      return answer;
    }
    const bytes = Buffer.from(answer.bytes);
    if (answer.outcome === 'whole') return { outcome: 'whole', bytes };
    const { damagedSectors, sectorBytes } = answer;
    const what = `${formatCounted(damagedSectors, 'sector')} of ${sectorBytes} bytes brought back by its parity`;
    const unwritten = await this.#store(packId, bytes, by, what);
    return { outcome: 'mended', bytes, what, ...(unwritten !== undefined && { unwritten }) };
  }

  async #bringBack(packId: string): Promise<MendJobAnswer | undefined> {
    const sidecar = await this.#readSidecar(packId);
    if (!sidecar) return undefined;
    const stored = await this.#readIfThere(packName(packId));
    return this.#thread.mend(packId, ownBuffer(stored ?? Buffer.alloc(0)), ownBuffer(sidecar));
  }

  /** Whoever reads may be without the right to write: the bytes are right all the same. */
  async #store(
    packId: string,
    bytes: Buffer,
    by: MendedBy,
    what: string,
  ): Promise<string | undefined> {
    try {
      const name = packName(packId);
      await this.#storage.write(name, [bytes]);
      const atMs = systemClock.nowMs();
      const mend: Mend = { id: timedId(atMs), atMs, by, name, what };
      this.#mends.push(mend);
      await writeMend({ sealed: this.#sealed }, mend);
      return undefined;
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      return messageOf(error);
    }
  }

  async #write(packId: string, bytes: ArrayBuffer): Promise<number | undefined> {
    const { overhead } = await this.setting();
    const sidecar = await this.#thread.sidecar(packId, bytes, overhead);
    if (!sidecar) return undefined;
    await this.#sealed.prepare();
    await this.#storage.write(parityName(packId), [new Uint8Array(sidecar)]);
    return sidecar.byteLength;
  }

  #readSidecar(packId: string): Promise<Buffer | undefined> {
    return this.#readIfThere(parityName(packId));
  }

  async #readIfThere(name: string): Promise<Buffer | undefined> {
    try {
      return await this.#storage.read(name);
    } catch (error) {
      if (isAbsence(error)) return undefined;
      throw error;
    }
  }
}

/** A copy, for the writer goes on using the parts. */
function joined(parts: readonly Uint8Array[]): ArrayBuffer {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes.buffer;
}
