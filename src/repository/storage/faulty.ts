/** A storage that goes wrong by a script: to show that what is built on storages survives what storages do. */
import { sleepMs } from '#base';
import { errors } from '../errors.ts';
import type { ByteRange, Storage, StoredFile } from './storage.ts';

export type StorageOperation = 'read' | 'write' | 'list' | 'stat' | 'remove';

export type Fault =
  /** Refused, and the same may pass later. */
  | { kind: 'error' }
  /** No answer, until the client gives up after so long. */
  | { kind: 'timeout'; afterMs: number }
  | { kind: 'slow'; delayMs: number }
  | { kind: 'full' }
  /** Only the first bytes of a write are kept, and it is acknowledged all the same. */
  | { kind: 'cut'; keepBytes: number }
  /** A write is acknowledged, and nobody sees it until `settle`. */
  | { kind: 'late' }
  /** A write is acknowledged and lost. */
  | { kind: 'lost' }
  /** A list as it was before the last changes. */
  | { kind: 'stale-list' }
  /** One bit of what is read is another one. */
  | { kind: 'wrong-bytes'; atByte: number }
  /** What is read is what another file holds, the one that was read before. */
  | { kind: 'other-file' }
  /** What is read is what the file held before it was replaced. */
  | { kind: 'old-bytes' };

export type FaultRule<F = Fault> = {
  on: StorageOperation | readonly StorageOperation[];
  /** Names that it applies to; all without it. */
  name?: RegExp;
  fault: F;
  /** So many matching calls pass before it applies. Default 0. */
  after?: number;
  /** To how many calls it applies. Default 1; Infinity for all. */
  times?: number;
};

/** Says of each call which fault it meets. */
export class FaultScript<F extends { kind: string } = Fault> {
  readonly #rules: (FaultRule<F> & { seen: number })[] = [];
  /** Kinds of faults that struck, in order. */
  readonly struck: F['kind'][] = [];

  add(rule: FaultRule<F>): void {
    this.#rules.push({ ...rule, seen: 0 });
  }

  has(kind: F['kind']): boolean {
    return this.#rules.some(({ fault }) => fault.kind === kind);
  }

  faultFor(on: StorageOperation, name: string): F | undefined {
    for (const rule of this.#rules) {
      if (![rule.on].flat().includes(on) || (rule.name && !rule.name.test(name))) continue;
      rule.seen += 1;
      const nth = rule.seen - (rule.after ?? 0);
      if (nth < 1 || nth > (rule.times ?? 1)) continue;
      this.struck.push(rule.fault.kind);
      return rule.fault;
    }
    return undefined;
  }
}

export class FaultyStorage implements Storage {
  readonly location: string;
  readonly concurrency: number;
  readonly #inner: Storage;
  readonly #script = new FaultScript();
  readonly #late: (() => Promise<void>)[] = [];
  /** What lists showed last, by prefix. */
  readonly #listed = new Map<string, StoredFile[]>();
  /** What replaced files held before. */
  readonly #replaced = new Map<string, Buffer>();
  #readBefore: string | undefined;
  /** Every call, in order: `write data/ab/ab12…`. */
  readonly calls: string[] = [];
  /** Kinds of faults that struck, in order. */
  readonly struck = this.#script.struck;

  constructor(inner: Storage, rules: readonly FaultRule[] = []) {
    this.#inner = inner;
    this.location = inner.location;
    this.concurrency = inner.concurrency;
    for (const rule of rules) this.#script.add(rule);
  }

  addRule(rule: FaultRule): void {
    this.#script.add(rule);
  }

  /** Late writes become visible, in their order. */
  async settle(): Promise<void> {
    for (const write of this.#late.splice(0)) await write();
  }

  async read(name: string, range?: ByteRange): Promise<Buffer> {
    const fault = await this.#meet('read', name);
    if (fault?.kind === 'old-bytes') return this.#readOld(name, range);
    const other = this.#readBefore;
    this.#readBefore = name;
    if (fault?.kind === 'other-file' && other) return this.#inner.read(other, range);
    const bytes = await this.#inner.read(name, range);
    if (fault?.kind !== 'wrong-bytes' || bytes.length === 0) return bytes;
    const at = fault.atByte % bytes.length;
    bytes[at] = (bytes[at] as number) ^ 1;
    return bytes;
  }

  async write(name: string, parts: readonly Uint8Array[]): Promise<void> {
    const fault = await this.#meet('write', name);
    if (fault?.kind === 'lost') return;
    if (fault?.kind === 'late') {
      const copy = parts.map((part) => Buffer.from(part));
      this.#late.push(() => this.#inner.write(name, copy));
      return;
    }
    const kept =
      fault?.kind === 'cut' ? [Buffer.concat(parts).subarray(0, fault.keepBytes)] : parts;
    await this.#keepOld(name);
    await this.#inner.write(name, kept);
  }

  async #keepOld(name: string): Promise<void> {
    if (this.#script.has('old-bytes') && (await this.#inner.stat(name))) {
      this.#replaced.set(name, await this.#inner.read(name));
    }
  }

  async #readOld(name: string, range?: ByteRange): Promise<Buffer> {
    const old = this.#replaced.get(name);
    if (!old) return this.#inner.read(name, range);
    const { offset, length } = range ?? { offset: 0, length: old.length };
    if (offset + length > old.length) throw errors.shortRead([name, 'an old one']);
    return Buffer.from(old.subarray(offset, offset + length));
  }

  async *list(prefix: string): AsyncIterable<StoredFile> {
    const fault = await this.#meet('list', prefix);
    if (fault?.kind === 'stale-list') {
      yield* this.#listed.get(prefix) ?? [];
      return;
    }
    const files: StoredFile[] = [];
    for await (const file of this.#inner.list(prefix)) {
      files.push(file);
      yield file;
    }
    this.#listed.set(prefix, files);
  }

  async stat(name: string): Promise<StoredFile | undefined> {
    await this.#meet('stat', name);
    return this.#inner.stat(name);
  }

  async remove(name: string): Promise<void> {
    await this.#meet('remove', name);
    await this.#inner.remove(name);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** The fault that applies to this call; those that end it are thrown. */
  async #meet(on: StorageOperation, name: string): Promise<Fault | undefined> {
    this.calls.push(`${on} ${name}`);
    const fault = this.#script.faultFor(on, name);
    switch (fault?.kind) {
      case 'error':
        throw errors.storageFailed([on, name, this.location, 'scripted error']);
      case 'timeout':
        await sleepMs(fault.afterMs);
        throw errors.storageTimeout([on, name, this.location]);
      case 'full':
        throw errors.storageFull([this.location]);
      case 'slow':
        await sleepMs(fault.delayMs);
        return fault;
      default:
        return fault;
    }
  }
}
