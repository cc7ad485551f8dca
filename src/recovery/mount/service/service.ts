/** All clones of one repository on this host: one process, one index, one cache, however many mounts. */
import fs from 'node:fs/promises';
import { messageOf } from '#base';
import type { Repository } from '#repository';
import { errors } from '../../errors.ts';
import { BlobCache } from '../blob-cache.ts';
import { isLaidOut, layOutTree } from '../lazy/lay-out.ts';
import { type HydrationProgress, type MountedFolder, mountFolder } from '../lazy/mount-folder.ts';
import { MountLeases } from './leases.ts';
import type { CloneAnswer, CloneRequest, MountShown } from './protocol.ts';

/** Shared by all mounts; the kernel keeps the pages that were read besides. */
const CACHE_BYTES = 64 * 1024 * 1024;
const FAILURES_KEPT = 100;

type Held = { mounted: MountedFolder; failures: string[] };

export class MountService {
  readonly #repository: Repository;
  readonly #blobs: BlobCache;
  readonly #leases: MountLeases;
  readonly #mounts = new Map<string, Held>();

  constructor(repository: Repository) {
    this.#repository = repository;
    this.#blobs = new BlobCache(repository, { maxBytes: CACHE_BYTES });
    this.#leases = new MountLeases(repository);
  }

  get isEmpty(): boolean {
    return this.#mounts.size === 0;
  }

  list(): MountShown[] {
    return [...this.#mounts].map(([mountPoint, { mounted, failures }]) => ({
      mountPoint,
      readBytes: mounted.readBytes(),
      failures,
    }));
  }

  /** May be called again after anything that ended the mount: what was written then is there again. */
  async clone(request: CloneRequest): Promise<CloneAnswer> {
    const { mountPoint, files, state, hasXattrs } = request;
    if (this.#mounts.has(mountPoint)) return { problems: [] };
    const failures: string[] = [];
    const onFailure = (error: unknown) => {
      if (failures.length < FAILURES_KEPT) failures.push(messageOf(error));
    };
    await this.#leases.take(mountPoint, request.snapshot, onFailure);
    const problems = isLaidOut({ files, state }) ? [] : await this.#layOut(request);
    await fs.mkdir(mountPoint, { recursive: true, mode: 0o711 });
    const mounted = await mountFolder({
      files,
      state,
      mountPoint,
      hasXattrs,
      blobs: this.#blobs,
      onFailure,
    });
    this.#mounts.set(mountPoint, { mounted, failures });
    this.#dropWhenEnded(mountPoint, mounted);
    return { problems };
  }

  async hydrate(
    mountPoint: string,
    signal: AbortSignal,
    onProgress: (progress: HydrationProgress) => void,
  ): Promise<void> {
    await this.#held(mountPoint).mounted.hydrate(signal, onProgress);
  }

  /** Nothing where it isn't mounted. */
  async unmount(mountPoint: string): Promise<void> {
    await this.#mounts.get(mountPoint)?.mounted.end();
    this.#mounts.delete(mountPoint);
    await this.#leases.end(mountPoint);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#mounts.keys()].map((mountPoint) => this.unmount(mountPoint)));
    this.#leases.close();
    await this.#repository.close();
  }

  async #layOut({ files, state, tree, root, owner }: CloneRequest) {
    // A half one from before is of no use, and its files would be in the way.
    await Promise.all(
      [files, state].map((folder) => fs.rm(folder, { recursive: true, force: true })),
    );
    await this.#repository.loadIndex();
    const repository = this.#repository;
    const result = await layOutTree(
      { repository, tree, ...(root && { root }), ...(owner === undefined ? {} : { owner }) },
      { files, state },
    );
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
