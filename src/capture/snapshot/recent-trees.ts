import { decodeTree, type Repository, type TreeNode } from '#repository';

/** Some thousand small directories: those that one capture of a busy folder after another comes back to. */
const MAX_BYTES = 4 * 1024 * 1024;
const MAX_ROOTS = 64;

type Home = Pick<Repository, 'readBlob' | 'index' | 'snapshots'>;

/** Trees that captures read or stored lately, so that the next one needn't fetch them. */
export class RecentTrees {
  readonly #home: Home;
  /** Encoded trees by hex id, the one that was used last at the end. */
  readonly #trees = new Map<string, Buffer>();
  #bytes = 0;
  /** Root trees by the ids of their snapshots. */
  readonly #roots = new Map<string, string>();

  constructor(home: Home) {
    this.#home = home;
  }

  /** Throws what `readBlob` throws, and `repository/tree-damaged`. */
  async read(id: string): Promise<TreeNode[]> {
    return [...decodeTree(await this.readBytes(id))];
  }

  /** Throws what `readBlob` throws. */
  async readBytes(id: string): Promise<Buffer> {
    const kept = this.#trees.get(id);
    // What was pruned since isn't there, whatever is remembered of it.
    if (kept && this.#home.index.has('tree', Buffer.from(id, 'hex'))) {
      this.#trees.delete(id);
      this.#trees.set(id, kept);
      return kept;
    }
    const bytes = await this.#home.readBlob('tree', id);
    this.keep(id, [bytes]);
    return bytes;
  }

  keep(id: string, encoded: readonly Uint8Array[]): void {
    const length = encoded.reduce((sum, part) => sum + part.length, 0);
    if (this.#trees.has(id) || length > MAX_BYTES / 16) return;
    this.#trees.set(id, Buffer.concat(encoded));
    this.#bytes += length;
    for (const [oldest, bytes] of this.#trees) {
      if (this.#bytes <= MAX_BYTES) break;
      this.#trees.delete(oldest);
      this.#bytes -= bytes.length;
    }
  }

  /** Throws what loading a snapshot throws. */
  async rootOf(snapshot: string): Promise<string> {
    return this.#roots.get(snapshot) ?? (await this.#home.snapshots.load(snapshot)).tree;
  }

  keepRoot(snapshot: string, tree: string): void {
    this.#roots.set(snapshot, tree);
    const [oldest] = this.#roots.keys();
    if (this.#roots.size > MAX_ROOTS && oldest !== undefined) this.#roots.delete(oldest);
  }
}

const ofRepositories = new WeakMap<Home, RecentTrees>();

/** One memory for each open repository. */
export function recentTrees(home: Home): RecentTrees {
  const known = ofRepositories.get(home);
  if (known) return known;
  const made = new RecentTrees(home);
  ofRepositories.set(home, made);
  return made;
}
