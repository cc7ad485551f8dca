/** All clones of one repository on this host: one process, one index, one cache, however many mounts. */
import fs from 'node:fs/promises';
import { messageOf, systemCode } from '#base';
import { newestCapture, type Repository, type StoreAddress } from '#repository';
import { errors } from '../../errors.ts';
import { BlobCache } from '../blob-cache.ts';
import { EarlyBlobs } from '../lazy/early-blobs.ts';
import { keepSpareThread } from '../lazy/folder-threads.ts';
import { isLaidOut, layOutTree } from '../lazy/lay-out.ts';
import { type HydrationProgress, type MountedFolder, mountFolder } from '../lazy/mount-folder.ts';
import { RecentTrees } from '../lazy/recent-trees.ts';
import { BackgroundHydration } from './background-hydration.ts';
import { MountLeases } from './leases.ts';
import type { CloneAnswer, CloneRequest, MountShown } from './protocol.ts';

/** Shared by all mounts; the kernel keeps the pages that were read besides. */
const CACHE_BYTES = 64 * 1024 * 1024;
const FAILURES_KEPT = 100;
/** Not at once: what is started on the mount before goes first. That takes longer where much is replayed. */
const SPARE_THREAD_AFTER_MS = { answering: 2_000, replaying: 10_000 };

type Held = { mounted: MountedFolder; hydration: BackgroundHydration; failures: string[] };
type UnderWay = { work: Promise<CloneAnswer>; stop: AbortController };

export class MountService {
  readonly #repository: Repository;
  readonly #blobs: BlobCache;
  readonly #leases: MountLeases;
  readonly #trees = new RecentTrees();
  #stores: readonly StoreAddress[] = [];
  readonly #mounts = new Map<string, Held>();
  readonly #underWay = new Map<string, UnderWay>();
  readonly #troubles: () => readonly string[];

  /** `troubles`: of all mounts, in words. */
  constructor(repository: Repository, troubles: () => readonly string[]) {
    this.#troubles = troubles;
    this.#repository = repository;
    this.#blobs = new BlobCache(repository, {
      maxBytes: CACHE_BYTES,
      isAway: () => isAway(repository),
    });
    this.#leases = new MountLeases(repository);
    keepSpareThread();
  }

  get isEmpty(): boolean {
    return this.#mounts.size === 0 && this.#underWay.size === 0;
  }

  list(): MountShown[] {
    return [...this.#mounts].map(([mountPoint, { mounted, hydration, failures }]) => {
      const present = mounted.present();
      return {
        mountPoint,
        readBytes: mounted.readBytes(),
        presentBytes: present.doneBytes,
        totalBytes: present.totalBytes,
        hydration: hydration.shown(present),
        failures: [...failures, ...this.#troubles()],
      };
    });
  }

  /**
   * Whatever a mount needs of this process is at hand when this resolves, but for what is stored meanwhile. `stores`: of
   * whose newest capture the trees are; those of the last call, where they aren't named.
   */
  async makeReady(stores = this.#stores): Promise<void> {
    this.#stores = stores;
    keepSpareThread();
    await this.#repository.loadIndex();
    for (const store of stores) await this.#readNewest(store);
  }

  async #readNewest(store: StoreAddress): Promise<void> {
    const newest = await newestCapture(this.#repository, store, ['base', 'files']);
    if (!newest) return;
    const { tree } = await this.#repository.snapshots.load(newest.snapshot);
    await this.#trees.readAll(this.#repository, tree);
  }

  /**
   * May be called again after anything that ended the mount: what was written then is there again. Once the signal is
   * aborted nothing is mounted any more, and the signal's reason is thrown.
   */
  async clone(request: CloneRequest, signal: AbortSignal): Promise<CloneAnswer> {
    const { mountPoint } = request;
    await this.#underWay.get(mountPoint)?.work.catch(() => {
      // Told to whoever asked for it; this one tries by itself.
    });
    if (this.#mounts.has(mountPoint)) return { problems: [] };
    const stop = new AbortController();
    const work = this.#clone(request, AbortSignal.any([signal, stop.signal]));
    this.#underWay.set(mountPoint, { work, stop });
    try {
      return await work;
    } catch (error) {
      await this.#leases.end(mountPoint);
      throw error;
    } finally {
      this.#underWay.delete(mountPoint);
    }
  }

  async #clone(request: CloneRequest, signal: AbortSignal): Promise<CloneAnswer> {
    const { mountPoint, files, state, hasXattrs, writesBehind } = request;
    const failures: string[] = [];
    const onFailure = (error: unknown) => {
      if (failures.length < FAILURES_KEPT) failures.push(messageOf(error));
    };
    // Of a service that was started anew too: what is read is looked up in it.
    await this.#repository.loadIndex();
    const leasing = this.#leases.take(mountPoint, request.snapshot, onFailure);
    const layingOut = isLaidOut({ files, state })
      ? Promise.resolve([])
      : this.#layOut(request, signal);
    // Both end before either's failure is told: nothing goes on behind it.
    const [laidOut, leased] = await Promise.allSettled([layingOut, leasing]);
    if (leased.status === 'rejected') throw leased.reason;
    if (laidOut.status === 'rejected') throw laidOut.reason;
    const problems = laidOut.value;
    signal.throwIfAborted();
    await makeMountPoint(mountPoint);
    const mounted = await mountFolder({
      files,
      state,
      mountPoint,
      hasXattrs,
      writesBehind,
      blobs: this.#blobs,
      onFailure,
    });
    this.#mounts.set(mountPoint, {
      mounted,
      hydration: new BackgroundHydration(mounted),
      failures,
    });
    this.#dropWhenEnded(mountPoint, mounted);
    const spareAfterMs = SPARE_THREAD_AFTER_MS[writesBehind ? 'replaying' : 'answering'];
    setTimeout(keepSpareThread, spareAfterMs).unref();
    if (signal.aborted) {
      await mounted.end();
      throw signal.reason;
    }
    return { problems };
  }

  async hydrate(
    mountPoint: string,
    signal: AbortSignal,
    onProgress: (progress: HydrationProgress) => void,
  ): Promise<void> {
    await this.#held(mountPoint).mounted.hydrate(signal, onProgress);
  }

  keepHydrating(mountPoint: string, bytesPerSecond: number | undefined): void {
    this.#held(mountPoint).hydration.run(bytesPerSecond);
  }

  async pauseHydrating(mountPoint: string): Promise<void> {
    await this.#held(mountPoint).hydration.pause();
  }

  /** Goes on in the background. What goes wrong is told by `list`. */
  settle(mountPoint: string): void {
    const { mounted, failures } = this.#held(mountPoint);
    mounted.settle().catch((error: unknown) => failures.push(messageOf(error)));
  }

  /** Nothing where it isn't mounted; what is about to be is given up. */
  async unmount(mountPoint: string): Promise<void> {
    const underWay = this.#underWay.get(mountPoint);
    underWay?.stop.abort(new Error('it was unmounted before it showed'));
    await underWay?.work.catch(() => {
      // Told to whoever asked for it.
    });
    const held = this.#mounts.get(mountPoint);
    await held?.hydration.pause();
    await held?.mounted.end();
    this.#mounts.delete(mountPoint);
    await this.#leases.end(mountPoint);
  }

  async close(): Promise<void> {
    const all = [...this.#underWay.keys(), ...this.#mounts.keys()];
    await Promise.all(all.map((mountPoint) => this.unmount(mountPoint)));
    this.#leases.close();
    await this.#repository.close();
  }

  async #layOut(request: CloneRequest, signal: AbortSignal) {
    const { files, state, tree, root, owner, blockMap } = request;
    const early = new EarlyBlobs(request.early ?? []);
    // A half one from before is of no use, and its files would be in the way.
    await Promise.all(
      [files, state].map((folder) => fs.rm(folder, { recursive: true, force: true })),
    );
    const repository = this.#repository;
    const result = await layOutTree(
      {
        repository,
        tree,
        signal,
        knownTrees: this.#trees,
        ...(root && { root }),
        ...(blockMap === undefined ? {} : { blockMap }),
        ...(owner === undefined ? {} : { owner }),
      },
      { files, state },
      early,
    );
    if (repository.storage.isRemote) {
      for (const id of early.ids()) this.#blobs.prefetch(id);
    }
    return result.problems;
  }

  #held(mountPoint: string): Held {
    const held = this.#mounts.get(mountPoint);
    if (!held) throw errors.notMounted([mountPoint]);
    return held;
  }

  #dropWhenEnded(mountPoint: string, mounted: MountedFolder): void {
    const drop = () => {
      if (this.#mounts.get(mountPoint)?.mounted !== mounted) return;
      this.#mounts.delete(mountPoint);
      void this.#leases.end(mountPoint);
    };
    mounted.ended.then(drop, drop);
  }
}

/** Every repository has this file, and nothing ever removes it. */
async function isAway({ storage }: Repository): Promise<boolean> {
  return await storage.stat('config').then(
    (found) => found === undefined,
    () => true,
  );
}

/** Never what lies above: whoever asked may be dead, and the folder of the recovery swept away meanwhile. */
async function makeMountPoint(mountPoint: string): Promise<void> {
  try {
    await fs.mkdir(mountPoint, { mode: 0o711 });
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
}
