/** The shortest way from a folder to a snapshot: the writer and the trees alone, nothing of capture. */
import fs from 'node:fs';
import { readMetadata } from '#base';
import {
  decodeTree,
  encodeTree,
  openWriter,
  type Repository,
  type RepositoryWriter,
  type TreeNode,
  type WriterStats,
} from '#repository';

export async function saveFolder(
  repository: Repository,
  folder: string,
): Promise<{ tree: string; snapshot: string; stats: WriterStats }> {
  const writer = await openWriter(repository);
  const tree = await saveDirectory(writer, Buffer.from(folder));
  const stats = await writer.finish();
  const { id } = await repository.snapshots.save({
    time: Date.now(),
    tree,
    paths: [folder],
    hostname: 'test',
  });
  return { tree, snapshot: id, stats };
}

async function saveDirectory(writer: RepositoryWriter, directory: Buffer): Promise<string> {
  const names = fs.readdirSync(directory, { encoding: 'buffer' }).sort(Buffer.compare);
  const nodes = names.map((name) => saveEntry(writer, directory, name));
  return writer.saveTree(encodeTree(await Promise.all(nodes)));
}

async function saveEntry(
  writer: RepositoryWriter,
  directory: Buffer,
  name: Buffer,
): Promise<TreeNode> {
  const path = Buffer.concat([directory, Buffer.from('/'), name]);
  const metadata = readMetadata(path);
  // As restic does unless it is told otherwise.
  const node: TreeNode = { ...metadata, atimeNs: metadata.mtimeNs, name };
  if (node.kind === 'dir') return { ...node, subtree: await saveDirectory(writer, path) };
  if (node.kind !== 'file') return node;
  const { ids, sizeBytes } = await writer.saveFile(path, Number(node.sizeBytes));
  return { ...node, content: ids, sizeBytes: BigInt(sizeBytes) };
}

/** All tree blobs below one, each once, as they lie in the repository. */
export async function* treesBelow(
  repository: Repository,
  tree: string,
  seen: Set<string> = new Set(),
): AsyncGenerator<{ id: string; bytes: Buffer; nodes: TreeNode[] }> {
  if (seen.has(tree)) return;
  seen.add(tree);
  const bytes = await repository.readBlob('tree', tree);
  const nodes = [...decodeTree(bytes)];
  yield { id: tree, bytes, nodes };
  for (const { subtree } of nodes) if (subtree) yield* treesBelow(repository, subtree, seen);
}
