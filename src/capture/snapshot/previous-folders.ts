/** The trees of the capture before as they are stored, for those who hold whole folders against them. */
import { HoldfastError } from '#base';
import { KnownTree, type Repository } from '#repository';
import { DAMAGE, type PreviousTree } from './previous-tree.ts';
import type { PreviousTrees } from './previous-trees.ts';
import type { RecentTrees } from './recent-trees.ts';

export type PreviousFoldersOptions = {
  repository: Pick<Repository, 'index'>;
  recent: RecentTrees;
  /** For folders that nobody has said anything of. */
  tree: PreviousTree;
  /** Where nearly all of it is going to be asked for. */
  ahead: PreviousTrees | undefined;
};

export class PreviousFolders {
  readonly #options: PreviousFoldersOptions;
  /** Hex ids of trees by the paths of their folders, until they are asked for. */
  readonly #expected = new Map<string, string>();

  constructor(options: PreviousFoldersOptions) {
    this.#options = options;
  }

  /** Says what the folder of this path was, before its own entries come. */
  expect(path: string, tree: string): void {
    this.#expected.set(path, tree);
  }

  /** Nobody is going to ask what this folder was. */
  passOver(path: string): void {
    this.#expected.delete(path);
  }

  /** Undefined where there was no such folder, or its tree is lost. `known`: its hex id, where that is known otherwise. */
  async open(path: string, known?: string): Promise<KnownTree | undefined> {
    const { tree, repository } = this.#options;
    const id = known ?? this.#expected.get(path) ?? (await tree.subtreeAt(path));
    this.#expected.delete(path);
    // Whatever was read before: only what is still there can be taken over.
    if (id === undefined || !repository.index.has('tree', Buffer.from(id, 'hex'))) return undefined;
    const bytes = await this.#bytesOf(id);
    return bytes && new KnownTree(id, bytes);
  }

  async #bytesOf(id: string): Promise<Buffer | undefined> {
    const { recent, ahead } = this.#options;
    if (ahead) return await ahead.read(id);
    try {
      return await recent.readBytes(id);
    } catch (error) {
      if (error instanceof HoldfastError && DAMAGE.has(error.code)) return undefined;
      throw error;
    }
  }
}
