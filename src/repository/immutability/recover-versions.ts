/**
 * Bringing a repository back from the versions that its bucket kept, after somebody with a full key overwrote and
 * removed its files: in place, by making the good versions current again, or into another storage. Nothing is removed
 * for good, so it may be run again after an interruption, and once more with another instant.
 */
import { type ProgressListener, type Secret, silent, systemClock } from '#base';
import { Sealer } from '../crypto/sealer.ts';
import { errors } from '../errors.ts';
import { inLanes } from '../in-lanes.ts';
import { openMasterKey } from '../keys/keys.ts';
import { MemoryStorage } from '../storage/memory.ts';
import { withRetries } from '../storage/retry.ts';
import type { Storage } from '../storage/storage.ts';
import type { FileVersion, FileVersions } from '../storage/versions.ts';
import { candidates, hasItsName, isGenuine, isKept } from './good-versions.ts';

export type RecoverVersionsOptions = {
  /** Where the repository lies, in a bucket with versions. */
  storage: Storage;
  password: Secret;
  /** Where it is to be written to. Default: in place. */
  into?: Storage;
  /** As the repository was before this instant; without it, everything that was ever good comes back. */
  beforeMs?: number;
  /** Only tell. */
  dryRun?: boolean;
  signal?: AbortSignal;
  progress?: ProgressListener;
};

export type RecoverVersionsResult = {
  /** Names that a good version was looked for. */
  files: number;
  /** Never overwritten nor removed. */
  untouched: number;
  recovered: number;
  recoveredBytes: number;
  /** No version is good: it was damaged from the beginning, or isn't ours. */
  lost: string[];
  /** Of these, those that restic would stumble over; in place they are removed, as a version that can come back. */
  hidden: string[];
};

/** Files of these that nobody can read keep restic from opening the repository. */
const MUST_BE_READABLE = /^(index|snapshots|keys)\//;
const NAMES_AT_ONCE = 256;

/** Throws `repository/no-versions`, `repository/no-keys` and `repository/wrong-password`. */
export async function recoverVersions(
  options: RecoverVersionsOptions,
): Promise<RecoverVersionsResult> {
  const storage = withRetries(options.storage);
  const { versions } = storage;
  if (!versions) throw errors.noVersions([storage.location]);
  const into = options.into && withRetries(options.into);
  const sealer = await sealerOf(storage, versions, options);
  const recovery = new Recovery({ storage, versions, sealer, into, options });
  return recovery.run();
}

/** By the keys of then: those that are there now may be somebody else's. */
async function sealerOf(
  storage: Storage,
  versions: FileVersions,
  options: RecoverVersionsOptions,
): Promise<Sealer> {
  const keys = new Map<string, Buffer>();
  for await (const { name, found } of namesOf(versions, 'keys/', options.beforeMs)) {
    for (const version of candidates(name, found)) {
      const bytes = await versions.read(version);
      if (hasItsName(name, bytes)) keys.set(name, bytes);
    }
  }
  const { masterKey } = await openMasterKey(
    new MemoryStorage(storage.location, keys),
    options.password,
  );
  return new Sealer(masterKey);
}

type Named = { name: string; found: FileVersion[] };

type RecoveryParts = {
  storage: Storage;
  versions: FileVersions;
  sealer: Sealer;
  into: Storage | undefined;
  options: RecoverVersionsOptions;
};

class Recovery {
  readonly #parts: RecoveryParts;
  readonly #startedMs = systemClock.monotonicMs();
  readonly #result: RecoverVersionsResult = {
    files: 0,
    untouched: 0,
    recovered: 0,
    recoveredBytes: 0,
    lost: [],
    hidden: [],
  };

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
  }

  async run(): Promise<RecoverVersionsResult> {
    const { versions, options } = this.#parts;
    // Last, as when it is made: a repository exists from the moment that its config does.
    const configs: Named[] = [];
    let some: Named[] = [];
    for await (const each of namesOf(versions, '', options.beforeMs)) {
      if (!isKept(each.name)) continue;
      (each.name === 'config' ? configs : some).push(each);
      if (some.length < NAMES_AT_ONCE) continue;
      await this.#recoverAll(some);
      some = [];
    }
    await this.#recoverAll(some);
    await this.#recoverAll(configs);
    this.#tell({ tookMs: systemClock.monotonicMs() - this.#startedMs });
    return this.#result;
  }

  async #recoverAll(names: readonly Named[]): Promise<void> {
    const { storage, options } = this.#parts;
    await inLanes(names, storage.concurrency, async (each) => {
      options.signal?.throwIfAborted();
      await this.#recover(each);
      this.#tell();
    });
  }

  async #recover({ name, found }: Named): Promise<void> {
    const { versions, into, options } = this.#parts;
    const result = this.#result;
    result.files += 1;
    const [newest, ...older] = found as [FileVersion, ...FileVersion[]];
    const isAlone = older.length === 0 && newest.isCurrent;
    if (isAlone && !into && !MUST_BE_READABLE.test(name)) {
      result.untouched += 1;
      return;
    }
    const good = await this.#findGood(name, found);
    if (!good) return this.#noteLost(name);
    const stays = !into && newest.isCurrent && isSame(newest, good.version);
    if (stays) result.untouched += 1;
    else {
      if (into && !options.dryRun) await into.write(name, [good.bytes]);
      if (!into && !options.dryRun) await versions.makeCurrent(good.version);
      result.recovered += 1;
      result.recoveredBytes += good.version.sizeBytes;
    }
  }

  async #findGood(
    name: string,
    found: readonly FileVersion[],
  ): Promise<{ version: FileVersion; bytes: Buffer } | undefined> {
    const { storage, versions, sealer } = this.#parts;
    for (const version of candidates(name, found)) {
      const bytes = await versions.read(version);
      if (isGenuine(storage, sealer, name, bytes)) return { version, bytes };
    }
    return undefined;
  }

  async #noteLost(name: string): Promise<void> {
    const { storage, into, options } = this.#parts;
    this.#result.lost.push(name);
    if (into || !MUST_BE_READABLE.test(name)) return;
    if (!options.dryRun) await storage.remove(name);
    this.#result.hidden.push(name);
  }

  #tell(ended?: { tookMs: number }): void {
    const { files, recoveredBytes } = this.#result;
    const { progress = silent } = this.#parts.options;
    progress({
      step: 'looking through versions',
      doneItems: files,
      doneBytes: recoveredBytes,
      ...(ended && { ended }),
    });
  }
}

/**
 * Names with their versions up to the instant, the newest first; those that had been removed then are left out. What
 * appeared only later comes with all its versions: it may be somebody's junk.
 */
async function* namesOf(
  versions: FileVersions,
  prefix: string,
  beforeMs = Number.POSITIVE_INFINITY,
): AsyncIterable<Named> {
  let name = '';
  let all: FileVersion[] = [];
  const named = (): Named[] => {
    const then = all.filter(({ writtenMs }) => writtenMs <= beforeMs);
    const found = then.length > 0 ? then : all;
    const wasRemoved = found[0]?.isRemoval && beforeMs !== Number.POSITIVE_INFINITY;
    const hasContent = found.some(({ isRemoval }) => !isRemoval);
    return hasContent && !wasRemoved ? [{ name, found }] : [];
  };
  for await (const version of versions.list(prefix)) {
    if (name !== version.name) {
      yield* named();
      name = version.name;
      all = [];
    }
    all.push(version);
  }
  yield* named();
}

/** The server's tag is a hash of the content, or differs from version to version: never the same for another content. */
function isSame(a: FileVersion, b: FileVersion): boolean {
  if (a.versionId === b.versionId) return true;
  return a.contentTag !== '' && a.contentTag === b.contentTag && a.sizeBytes === b.sizeBytes;
}
