/** No room for the journal's spool: the stream stops, says why, and goes on from what is safe. */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { quietLogger } from '#base';
import { type JournalShipping, openJournalShipping } from '#capture';
import { createRepository, openJournalReader, openStorage, type Repository } from '#repository';
import { journalBytes } from '../../../src/capture/journal/shipping.fixture.ts';
import type { FullDiskTrials } from '../disk-full.ts';
import { PASSWORD, SCRYPT } from '../sample.ts';
import { saysFull, told } from './repository.ts';

const LINE = 1;

/** With what is spooled counting as flushed, and with what is shipped. */
export async function fullSpool(trials: FullDiskTrials): Promise<void> {
  const home = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-full-spool-'));
  try {
    for (const flush of ['spooled', 'shipped'] as const) {
      const storage = await openStorage(path.join(home, flush));
      const repository = await createRepository({ storage, password: PASSWORD, scrypt: SCRYPT });
      await new FullSpool(trials, repository, flush).run(Math.ceil(trials.count / 2));
      await repository.close();
    }
  } finally {
    await fs.rm(home, { recursive: true, force: true });
  }
}

class FullSpool {
  readonly #trials: FullDiskTrials;
  readonly #repository: Repository;
  readonly #flush: 'spooled' | 'shipped';
  readonly #spoolFolder: string;
  readonly #address: { environment: string; stage: string; store: string };

  constructor(trials: FullDiskTrials, repository: Repository, flush: 'spooled' | 'shipped') {
    this.#trials = trials;
    this.#repository = repository;
    this.#flush = flush;
    this.#spoolFolder = trials.disk.place(flush);
    this.#address = { environment: 'shop', stage: 'test', store: flush };
  }

  async run(count: number): Promise<void> {
    let shipping = await this.#open();
    for (let number = 0; number < count; number += 1) {
      const { chance, disk, figures } = this.#trials;
      const roomBytes = chance.below(20) * 4096;
      disk.leave(roomBytes);
      const isFull = await this.#streamUntilFull(shipping, roomBytes);
      figures.add(`spool, ${this.#flush}: ${isFull ? 'no room, said so' : 'room enough'}`);
      // What is told to the database as flushed must be here, whatever happens next.
      const acknowledged = shipping.flushable()?.offset ?? 0n;
      if (chance.fraction() < 0.3) {
        await this.#close(shipping);
        disk.giveBack();
        shipping = await this.#open();
      } else disk.giveBack();
      await this.#expectThere(acknowledged);
      await this.#goOn(shipping);
    }
    await shipping.close();
  }

  /** Tells where not everything could be made safe. */
  async #close(shipping: JournalShipping): Promise<void> {
    try {
      await shipping.close();
    } catch (error) {
      if (!saysFull(error, this.#spoolFolder)) this.#trials.fail(`spool: ${told(error)}`);
    }
  }

  /** True where it stopped for want of room. */
  async #streamUntilFull(shipping: JournalShipping, roomBytes: number): Promise<boolean> {
    try {
      for (let written = 0; written < roomBytes + 50_000; ) {
        written += await this.#append(shipping, 1 + this.#trials.chance.below(9_000));
      }
      await shipping.shipAll();
      return false;
    } catch (error) {
      if (!saysFull(error, this.#spoolFolder)) this.#trials.fail(`spool: ${told(error)}`);
      return true;
    }
  }

  async #append(shipping: JournalShipping, sizeBytes: number): Promise<number> {
    const from = this.#at;
    const to = from + BigInt(sizeBytes);
    shipping.append(LINE, from, journalBytes(LINE, from, to), Number(to));
    this.#at = to;
    await shipping.ready();
    if (this.#trials.chance.fraction() < 0.5) await shipping.shipAll();
    return sizeBytes;
  }

  #at = 0n;

  /** The stream begins again where the shipping says, as a database's does. */
  async #goOn(shipping: JournalShipping): Promise<void> {
    this.#at = shipping.resumeFrom()?.offset ?? 0n;
    try {
      await this.#append(shipping, 5_000);
      await shipping.shipAll();
    } catch (error) {
      this.#trials.fail(`spool, with room again: ${told(error)}`);
    }
    if (shipping.flushable()?.offset !== this.#at) this.#trials.fail('spool: it did not go on');
    await this.#expectThere(this.#at);
    await shipping.housekeep();
  }

  async #expectThere(to: bigint): Promise<void> {
    const spool = this.#flush === 'spooled' ? { spoolFolder: this.#spoolFolder } : {};
    const reader = openJournalReader(this.#repository, this.#address, spool);
    const parts: Buffer[] = [];
    for await (const part of reader.read(LINE, 0n, to)) parts.push(Buffer.from(part));
    if (!Buffer.concat(parts).equals(journalBytes(LINE, 0n, to))) {
      this.#trials.fail(`spool: not all up to ${to} is as it was`);
    }
  }

  #open(): Promise<JournalShipping> {
    return openJournalShipping({
      repository: this.#repository,
      address: this.#address,
      source: 'postgres',
      spoolFolder: this.#spoolFolder,
      log: quietLogger,
      flush: this.#flush,
      shipEveryMs: 1,
      housekeepEveryMs: 0,
      segmentSizeBytes: 64 * 1024,
      batchAtBytes: 256 * 1024,
      spoolKeepBytes: 128 * 1024,
      joinAbove: 20,
    });
  }
}
