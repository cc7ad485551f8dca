/** Reads directories of a repository: many at a time, so that each pack is asked once for all that it holds. */
import type { FileMetadata } from '#base';
import { decodeTree, type Repository, type TreeNode } from '#repository';
import { errors } from '../errors.ts';
import { isEntryName, showName } from './paths.ts';
import type { KnownTrees } from './request.ts';

export type TreeReader = Pick<Repository, 'index' | 'readBlobs'>;

const MAX_TREES = 256;
// Plain bytes of the trees that are held at once; a single larger one is still read.
const MAX_TREE_BYTES = 32 * 1024 * 1024;

/** Takes as many from the end of `pending` (which is ordered as a stack) as should be read at once: one at least. */
export function takeBatch<T extends { tree: string }>(pending: T[], reader: TreeReader): T[] {
  const batch: T[] = [];
  let batchBytes = 0;
  while (batch.length < MAX_TREES) {
    const next = pending.at(-1);
    if (!next) break;
    batchBytes += reader.index.lookup('tree', Buffer.from(next.tree, 'hex'))?.plainLength ?? 0;
    if (batch.length > 0 && batchBytes > MAX_TREE_BYTES) break;
    pending.pop();
    batch.push(next);
  }
  return batch;
}

/** By hex id. A tree that can't be read is given as the error. */
export async function readTrees(
  reader: TreeReader,
  ids: Iterable<string>,
  signal?: AbortSignal,
): Promise<Map<string, Buffer | Error>> {
  const trees = new Map<string, Buffer | Error>();
  const known: Buffer[] = [];
  for (const id of new Set(ids)) {
    const bytes = Buffer.from(id, 'hex');
    if (reader.index.has('tree', bytes)) known.push(bytes);
    else trees.set(id, errors.directoryLost([id.slice(0, 12)]));
  }
  await reader.readBlobs(
    'tree',
    Buffer.concat(known),
    (id, bytes, isOwn) => {
      // Most are valid only until this returns.
      trees.set(id.toString('hex'), isOwn ? bytes : Buffer.from(bytes));
    },
    {
      ...(signal ? { signal } : {}),
      onDamaged: (id, error) => {
        trees.set(id.toString('hex'), error);
      },
    },
  );
  return trees;
}

/** Its bytes, its nodes where they are known, or why it can't be read. */
export type ReadTree = Buffer | Error | readonly TreeNode[];

/** As `readTrees`, of those that aren't known. */
export async function readUnknownTrees(
  reader: TreeReader,
  ids: readonly string[],
  knownTrees: KnownTrees | undefined,
  signal?: AbortSignal,
): Promise<Map<string, ReadTree>> {
  const trees = new Map<string, ReadTree>();
  for (const id of ids) {
    const nodes = knownTrees?.get(id);
    if (nodes) trees.set(id, nodes);
  }
  const unknown = ids.filter((id) => !trees.has(id));
  for (const [id, read] of await readTrees(reader, unknown, signal)) trees.set(id, read);
  return trees;
}

/** As `readNodes`; `taking` is told of them. */
export function* takenNodes(
  bytes: Buffer,
  taking: ReturnType<KnownTrees['taking']> | undefined,
): Generator<TreeNode> {
  for (const node of readNodes(bytes)) {
    taking?.take(node);
    yield node;
  }
  taking?.end();
}

export type Found =
  | { kind: 'dir'; tree: string; metadata: FileMetadata | undefined }
  | { kind: 'other'; node: TreeNode };

/** Follows a path down from a tree. Throws `recovery/path-not-in-snapshot`; rejects where a tree on the way is damaged. */
export async function findInTree(
  reader: TreeReader,
  tree: string,
  subpath: Buffer,
  signal?: AbortSignal,
): Promise<Found> {
  const components = subpath
    .toString('latin1')
    .split('/')
    .filter((name) => name !== '');
  let found: Found = { kind: 'dir', tree, metadata: undefined };
  for (const component of components) {
    const name = Buffer.from(component, 'latin1');
    const node: TreeNode | undefined =
      found.kind === 'dir' ? await findNode(reader, found.tree, name, signal) : undefined;
    if (!node) throw errors.pathNotInSnapshot([showName(subpath.toString('latin1'))]);
    found =
      node.kind === 'dir' && node.subtree !== undefined
        ? { kind: 'dir', tree: node.subtree, metadata: node }
        : { kind: 'other', node };
  }
  return found;
}

async function findNode(
  reader: TreeReader,
  tree: string,
  name: Buffer,
  signal: AbortSignal | undefined,
): Promise<TreeNode | undefined> {
  const bytes = (await readTrees(reader, [tree], signal)).get(tree);
  if (!(bytes instanceof Buffer)) throw bytes;
  for (const node of decodeTree(bytes)) {
    if (node.name.equals(name)) return node;
  }
  return undefined;
}

/** The nodes of a tree, as far as it can be read; ends with an error where it can't. */
export function* readNodes(bytes: Buffer): Generator<TreeNode> {
  for (const node of decodeTree(bytes)) {
    if (!isEntryName(node.name)) {
      throw errors.unsafeName([showName(node.name.toString('latin1'))]);
    }
    yield node;
  }
}
