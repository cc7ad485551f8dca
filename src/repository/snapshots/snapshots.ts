/** Snapshots: the roots of everything that is kept. */
import { HoldfastError } from '#base';
import { errors } from '../errors.ts';
import type { UnpackedFiles } from '../unpacked-files.ts';
import {
  decodeSnapshot,
  encodeSnapshot,
  type NewSnapshot,
  type Snapshot,
} from './snapshot-json.ts';

/** All that is given must fit. A snapshot fits a list of tags where it has all of them; one of the lists is enough. */
export type SnapshotFilter = {
  hosts?: readonly string[];
  tags?: readonly (readonly string[])[];
  /** All of them must be among the snapshot's paths. */
  paths?: readonly string[];
};

const MIN_PREFIX = 4;

export class Snapshots {
  readonly #files: UnpackedFiles;

  constructor(files: UnpackedFiles) {
    this.#files = files;
  }

  ids(): Promise<string[]> {
    return this.#files.list('snapshots');
  }

  /** Newest first. One that can't be read goes to `onDamaged`; without that, the call rejects. */
  async list(
    filter: SnapshotFilter = {},
    onDamaged?: (id: string, error: HoldfastError) => void,
  ): Promise<Snapshot[]> {
    const snapshots: Snapshot[] = [];
    const ids = await this.ids();
    await this.#files.readEach('snapshots', ids, (id, read) => {
      try {
        if ('error' in read) throw read.error;
        const snapshot = decodeSnapshot(id, read.json);
        if (matches(snapshot, filter)) snapshots.push(snapshot);
      } catch (error) {
        if (!(error instanceof HoldfastError) || !onDamaged) throw error;
        // It may have been removed since it was listed: nothing is damaged then.
        if (error.code !== 'repository/not-in-storage') onDamaged(id, error);
      }
    });
    return snapshots.sort((a, b) => b.timeMs - a.timeMs || (a.id < b.id ? -1 : 1));
  }

  async load(id: string): Promise<Snapshot> {
    return decodeSnapshot(id, await this.#files.read('snapshots', id));
  }

  /**
   * Durable when it resolves. Only after every blob that it needs is durable and indexed. It is read back: nothing else
   * tells of it, so nobody would ever miss it. Throws `repository/not-kept`.
   */
  async save(snapshot: NewSnapshot): Promise<Snapshot> {
    const json = encodeSnapshot(snapshot);
    const id = await this.#files.save('snapshots', json);
    await this.#files.confirm('snapshots', id);
    return decodeSnapshot(id, JSON.parse(json));
  }

  remove(id: string): Promise<void> {
    return this.#files.remove('snapshots', id);
  }

  /**
   * By the beginning of an id (4 digits at least), or `latest` among those that fit the filter. Throws
   * `repository/snapshot-not-found` and `repository/snapshot-ambiguous`.
   */
  async find(what: string, filter: SnapshotFilter = {}): Promise<Snapshot> {
    if (what === 'latest') {
      const [newest] = await this.list(filter);
      if (!newest) throw errors.snapshotNotFound([what]);
      return newest;
    }
    const prefix = what.toLowerCase();
    const ids = (await this.ids()).filter((id) => id.startsWith(prefix));
    if (prefix.length < MIN_PREFIX || ids.length === 0) throw errors.snapshotNotFound([what]);
    if (ids.length > 1) throw errors.snapshotAmbiguous([what, ids.length]);
    return this.load(ids[0] as string);
  }
}

function matches(snapshot: Snapshot, { hosts, tags, paths }: SnapshotFilter): boolean {
  if (hosts?.length && !hosts.includes(snapshot.hostname)) return false;
  if (paths?.length && !paths.every((path) => snapshot.paths.includes(path))) return false;
  if (!tags?.length) return true;
  return tags.some((list) => list.every((tag) => snapshot.tags.includes(tag)));
}
