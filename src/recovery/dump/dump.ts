/** What a snapshot holds as a stream: one file's bytes, or a folder as a tar archive. Nothing is written to disk. */
import type { HoldfastError } from '#base';
import { findPath, type Repository, type TreeNode, treeEntries } from '#repository';
import { errors } from '../errors.ts';
import { showName } from '../restore/paths.ts';
import { filePartsOf } from './file-parts.ts';
import { inOrder, type Part } from './in-order.ts';
import { TAR_END, tarHeader, tarPadding } from './tar-header.ts';

export type DumpRequest = {
  repository: Pick<Repository, 'index' | 'readBlobs'>;
  /** Hex id of a snapshot's tree. */
  tree: string;
  /** Raw bytes from the root of the snapshot; '' is all of it. */
  path: Buffer;
  /** A single file goes into an archive too. */
  archive?: boolean;
  signal?: AbortSignal;
};

export type DumpProblem = { path: string; what: string };

export type Dump = {
  kind: 'file' | 'tar';
  /** Pieces hold until the next one is asked for; to be consumed once. */
  bytes: AsyncIterable<Buffer>;
  /** Complete when the bytes are exhausted. What is lost in the repository is zeros, and named here: the first 1,000. */
  problems: DumpProblem[];
  problemCount(): number;
  /** Sockets, which no archive holds. */
  sockets(): number;
};

/**
 * Throws `recovery/path-not-in-snapshot`, and `recovery/not-a-file` for a link or device that is asked for by itself.
 * The archive of a folder begins with the folder itself (`./`): unpacked, it equals a restore of that folder.
 */
export async function dump(request: DumpRequest): Promise<Dump> {
  const { repository, tree, path, signal } = request;
  const found = await findPath(repository, tree, path, signal);
  if (!found) throw errors.pathNotInSnapshot([showName(path.toString('latin1'))]);
  const run = new DumpRun(request);
  if (found.kind === 'entry' && !request.archive) {
    if (found.node.kind !== 'file') {
      throw errors.notAFile([showName(path.toString('latin1')), found.node.kind]);
    }
    return run.made('file', run.file(found.node));
  }
  if (found.kind === 'entry') return run.made('tar', run.single(found.node));
  return run.made('tar', run.folder(found.tree, found.node));
}

const KEPT_PROBLEMS = 1_000;

class DumpRun {
  readonly #request: DumpRequest;
  readonly #problems: DumpProblem[] = [];
  /** The first name of each file that has several, by device and inode. */
  readonly #firstNames = new Map<string, Buffer>();
  #sockets = 0;
  #problemCount = 0;

  constructor(request: DumpRequest) {
    this.#request = request;
  }

  made(kind: Dump['kind'], parts: AsyncIterable<Part>): Dump {
    const { repository, signal } = this.#request;
    const bytes = inOrder(repository, parts, signal);
    return {
      kind,
      bytes,
      problems: this.#problems,
      problemCount: () => this.#problemCount,
      sockets: () => this.#sockets,
    };
  }

  async *file(node: TreeNode): AsyncGenerator<Part> {
    yield* this.#contentOf(Buffer.alloc(0), node).parts;
  }

  async *single(node: TreeNode): AsyncGenerator<Part> {
    yield* this.#entry(node.name, node);
    yield { kind: 'bytes', bytes: TAR_END };
  }

  async *folder(tree: string, node: TreeNode | undefined): AsyncGenerator<Part> {
    if (node) yield* this.#entry(Buffer.from('.'), node);
    const { repository, signal } = this.#request;
    const entries = treeEntries(repository, tree, {
      ...(signal && { signal }),
      onDamaged: (path, error) => this.#directoryLost(path, error),
    });
    // Without the slash at its beginning.
    for await (const { path, node: entry } of entries) yield* this.#entry(path.subarray(1), entry);
    yield { kind: 'bytes', bytes: TAR_END };
  }

  *#entry(path: Buffer, node: TreeNode): Generator<Part> {
    if (node.kind === 'socket') {
      this.#sockets += 1;
      return;
    }
    const sameAs = this.#firstName(path, node);
    const isFile = node.kind === 'file' && !sameAs;
    const content = isFile ? this.#contentOf(path, node) : { sizeBytes: 0, parts: [] };
    const { sizeBytes, parts } = content;
    const header = tarHeader({ path, node, sizeBytes, ...(sameAs && { sameAs }) });
    yield { kind: 'bytes', bytes: header };
    yield* parts;
    const padding = tarPadding(sizeBytes);
    if (padding > 0) yield { kind: 'zeros', lengthBytes: padding };
  }

  #firstName(path: Buffer, node: TreeNode): Buffer | undefined {
    if (node.kind === 'dir' || node.links < 2n || node.inode === 0n) return undefined;
    const key = `${node.deviceId}:${node.inode}`;
    const first = this.#firstNames.get(key);
    if (!first) this.#firstNames.set(key, path);
    return first;
  }

  #contentOf(path: Buffer, node: TreeNode) {
    return filePartsOf(this.#request.repository, node, (what) => this.#problem(path, what));
  }

  #directoryLost(path: Buffer, error: HoldfastError): void {
    // Without its root, a dump has nothing to give.
    if (path.length === 0) throw error;
    this.#problem(path.subarray(1), `what is missing in this folder is lost: ${error.message}`);
  }

  #problem(path: Buffer, what: string): void {
    this.#problemCount += 1;
    if (this.#problems.length >= KEPT_PROBLEMS) return;
    this.#problems.push({ path: showName(path.toString('latin1')), what });
  }
}
