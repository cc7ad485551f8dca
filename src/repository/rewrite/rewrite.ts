/** Taking paths out of snapshots that were made already: each becomes another one, without them. */
import { type ProgressListener, silent } from '#base';
import { KnownSnapshots, originalOf } from '../copy/same-snapshot.ts';
import { describeHold, type Hold, readHolds } from '../forget/holds.ts';
import { listCaptures, listStores, readCapture, rewriteCapture } from '../records/captures.ts';
import type { CaptureEntry } from '../records/names.ts';
import type { Repository } from '../repository.ts';
import type { NewSnapshot, Snapshot } from '../snapshots/snapshot-json.ts';
import { openWriter } from '../writer/open-writer.ts';
import type { RepositoryWriter } from '../writer/writer.ts';
import { type LeavesOut, type RewrittenTree, TreeRewriter, treeId } from './rewrite-tree.ts';

export type RewriteOptions = {
  leavesOut: LeavesOut;
  /** Which snapshots; all where it is absent. */
  choose?: () => Promise<readonly Snapshot[]>;
  /** The old ones go, and captures are pointed at the new ones. Without it both are kept. */
  forget?: boolean;
  /** Only say what would happen. */
  dryRun?: boolean;
  /** A reason to leave a snapshot as it is. One on legal hold stays with `forget` in any case. */
  protect?: (snapshot: Snapshot) => string | undefined;
  /** How long to wait where somebody else holds the repository. Default 0: refused at once. */
  lockWaitMs?: number;
  signal?: AbortSignal;
  progress?: ProgressListener;
};

export type Rewritten = {
  before: Snapshot;
  /** Id of the new one; undefined in a dry run. */
  after?: string;
  /** Entries that went, whole directories counting as one. */
  removed: number;
};

export type RewriteResult = {
  rewritten: Rewritten[];
  /** Hold what was to go, and stay as they are. */
  spared: { snapshot: Snapshot; because: string }[];
  /** Snapshots that hold nothing of it. */
  untouched: number;
  dryRun: boolean;
};

/** Without a part, a database is none: its bases and its journal are kept or forgotten as a whole. */
const WHOLE_KINDS: readonly string[] = ['base', 'journal-batch', 'catalog'];

const CAPTURE_TAG = 'capture:';
/** As restic marks a rewritten snapshot whose original stays. */
const REWRITE_TAG = 'rewrite';

/**
 * Under an exclusive lock with `forget`, a shared one without; none in a dry run. The data goes with the next prune.
 * Interrupted, some snapshots are rewritten and others aren't: run it again. Throws where a tree is damaged.
 */
export async function rewriteSnapshots(
  repository: Repository,
  options: RewriteOptions,
): Promise<RewriteResult> {
  if (options.dryRun) {
    await repository.loadIndex();
    return await new Rewrite(repository, options, undefined).run();
  }
  const kind = options.forget ? 'exclusive' : 'shared';
  const lock = await repository.lock(kind, { waitMs: options.lockWaitMs ?? 0 });
  try {
    const signals = [lock.signal, ...(options.signal ? [options.signal] : [])];
    const signal = AbortSignal.any(signals);
    const writer = await openWriter(repository, { workers: 1, heldLock: lock });
    try {
      return await new Rewrite(repository, { ...options, signal }, writer).run();
    } catch (error) {
      await writer.abort();
      throw error;
    }
  } finally {
    await lock.release();
  }
}

class Rewrite {
  readonly #repository: Repository;
  readonly #options: RewriteOptions;
  readonly #writer: RepositoryWriter | undefined;
  readonly #looking: TreeRewriter;
  readonly #writing: TreeRewriter;
  readonly #result: RewriteResult;
  #holds: ReadonlyMap<string, Hold> = new Map();

  constructor(
    repository: Repository,
    options: RewriteOptions,
    writer: RepositoryWriter | undefined,
  ) {
    this.#repository = repository;
    this.#options = options;
    this.#writer = writer;
    this.#looking = new TreeRewriter(repository, options.leavesOut, treeId);
    this.#writing = writer
      ? new TreeRewriter(repository, options.leavesOut, (encoded) => writer.saveTree(encoded))
      : this.#looking;
    const dryRun = options.dryRun ?? false;
    this.#result = { rewritten: [], spared: [], untouched: 0, dryRun };
  }

  async run(): Promise<RewriteResult> {
    const { choose, progress = silent, signal } = this.#options;
    const snapshots = choose ? await choose() : await this.#repository.snapshots.list();
    const captures = await this.#captures(snapshots);
    this.#holds = await readHolds(this.#repository);
    const planned: { snapshot: Snapshot; tree: RewrittenTree }[] = [];
    for (const [doneItems, snapshot] of snapshots.entries()) {
      signal?.throwIfAborted();
      progress({ step: 'rewriting trees', doneItems, totalItems: snapshots.length });
      const because = this.#whySpared(snapshot, captures);
      const rewriter = because === undefined ? this.#writing : this.#looking;
      const tree = await rewriter.rewrite(snapshot.tree);
      if (tree.id === snapshot.tree) this.#result.untouched += 1;
      else if (because !== undefined) this.#result.spared.push({ snapshot, because });
      else planned.push({ snapshot, tree });
    }
    await this.#writer?.finish();
    if (this.#writer) await this.#save(planned, captures);
    else {
      const rewritten = planned.map(({ snapshot, tree }) => ({
        before: snapshot,
        removed: tree.removed,
      }));
      this.#result.rewritten.push(...rewritten);
    }
    return this.#result;
  }

  #whySpared(snapshot: Snapshot, captures: Captures): string | undefined {
    const kind = captures.get(captureOf(snapshot) ?? '')?.kind;
    if (kind && WHOLE_KINDS.includes(kind))
      return `it is a database's ${kind}: whole or not at all`;
    const hold = this.#options.forget ? this.#holds.get(snapshot.id) : undefined;
    return hold ? describeHold(hold) : this.#options.protect?.(snapshot);
  }

  async #save(
    planned: readonly { snapshot: Snapshot; tree: RewrittenTree }[],
    captures: Captures,
  ): Promise<void> {
    const { snapshots } = this.#repository;
    const { forget, signal } = this.#options;
    const known = new KnownSnapshots(await snapshots.list({}, () => {}));
    for (const { snapshot, tree } of planned) {
      signal?.throwIfAborted();
      const wanted = rewrittenSnapshot(snapshot, tree.id, forget === true);
      // Of a run that was interrupted before the old one went.
      const there = known.copyOf({ ...snapshot, tree: tree.id, tags: [...(wanted.tags ?? [])] });
      const saved = there ?? (await snapshots.save(wanted));
      if (forget) {
        const entry = captures.get(captureOf(snapshot) ?? '');
        if (entry) await this.#pointCapture(entry, snapshot.id, saved.id);
        await snapshots.remove(snapshot.id);
      }
      this.#result.rewritten.push({ before: snapshot, after: saved.id, removed: tree.removed });
    }
  }

  async #pointCapture(entry: CaptureEntry, from: string, to: string): Promise<void> {
    const record = await readCapture(this.#repository, entry);
    if (record.snapshot !== from) return;
    await rewriteCapture(this.#repository, entry.name, { ...record, snapshot: to });
  }

  /** By their ids; from the names alone. */
  async #captures(snapshots: readonly Snapshot[]): Promise<Captures> {
    const captures = new Map<string, CaptureEntry>();
    if (!snapshots.some(captureOf)) return captures;
    for (const address of await listStores(this.#repository)) {
      for (const entry of await listCaptures(this.#repository, address))
        captures.set(entry.id, entry);
    }
    return captures;
  }
}

type Captures = ReadonlyMap<string, CaptureEntry>;

function captureOf({ tags }: Snapshot): string | undefined {
  return tags.find((tag) => tag.startsWith(CAPTURE_TAG))?.slice(CAPTURE_TAG.length);
}

/** Of a summary nothing would be true any more; a parent is of no use. */
function rewrittenSnapshot(snapshot: Snapshot, tree: string, replaces: boolean): NewSnapshot {
  const { id: _id, timeMs: _timeMs, parent: _parent, others, tags, ...kept } = snapshot;
  const { summary: _summary, ...otherFields } = others;
  // The capture goes on being the old one where that stays.
  const own = replaces ? tags : tags.filter((tag) => !tag.startsWith(CAPTURE_TAG));
  return {
    ...kept,
    tree,
    tags: replaces || own.includes(REWRITE_TAG) ? own : [...own, REWRITE_TAG],
    others: { ...otherFields, original: originalOf(snapshot) },
  };
}
