/** For tests: snapshots of a few files, made and read with the engine alone. */
import { madeMetadata } from '#base';
import type { Repository } from './repository.ts';
import type { Snapshot } from './snapshots/snapshot-json.ts';
import { decodeTree } from './tree/decode-tree.ts';
import { encodeTree } from './tree/encode-tree.ts';
import type { TreeNode } from './tree/node.ts';
import { openWriter } from './writer/open-writer.ts';
import type { RepositoryWriter } from './writer/writer.ts';

const AT_NS = 1_760_000_000_000_000_000n;

/** Contents by path: `a`, `folder/b`. */
export type SavedFiles = ReadonlyMap<string, Buffer>;

export async function saveFiles(
  repository: Repository,
  files: SavedFiles,
  packSizeBytes = 512 * 1024,
): Promise<Snapshot> {
  const writer = await openWriter(repository, { packSizeBytes });
  const tree = await saveBelow(writer, '', [...files.keys()].sort(), files);
  await writer.finish();
  return repository.snapshots.save({ time: Number(AT_NS / 1_000_000n), tree, paths: ['/test'] });
}

/** What each file of a snapshot gives: its content, or the error. A folder that can't be read is named with `/`. */
export async function readFiles(
  repository: Repository,
  tree: string,
  below = '',
): Promise<Map<string, Buffer | unknown>> {
  const found = new Map<string, Buffer | unknown>();
  let bytes: Buffer;
  try {
    bytes = await repository.readBlob('tree', tree);
  } catch (error) {
    return found.set(`${below}/`, error);
  }
  for (const node of decodeTree(bytes)) {
    const name = below + node.name.toString();
    if (node.subtree !== undefined) {
      for (const entry of await readFiles(repository, node.subtree, `${name}/`))
        found.set(...entry);
    } else found.set(name, await contentOf(repository, node.content ?? Buffer.alloc(0)));
  }
  return found;
}

async function contentOf(repository: Repository, ids: Buffer): Promise<Buffer | unknown> {
  const parts: Buffer[] = [];
  try {
    for (let at = 0; at < ids.length; at += 32) {
      parts.push(await repository.readBlob('data', ids.subarray(at, at + 32)));
    }
  } catch (error) {
    return error;
  }
  return Buffer.concat(parts);
}

async function saveBelow(
  writer: RepositoryWriter,
  prefix: string,
  names: readonly string[],
  files: SavedFiles,
): Promise<string> {
  const nodes: TreeNode[] = [];
  const folders = new Map<string, string[]>();
  for (const path of names) {
    const [first, ...rest] = path.slice(prefix.length).split('/') as [string, ...string[]];
    if (rest.length > 0) folders.set(first, [...(folders.get(first) ?? []), path]);
    else nodes.push(await saveOne(writer, first, files.get(path) as Buffer));
  }
  for (const [name, paths] of folders) {
    const subtree = await saveBelow(writer, `${prefix}${name}/`, paths, files);
    nodes.push({ ...madeMetadata('dir', 0o755, AT_NS), name: Buffer.from(name), subtree });
  }
  nodes.sort((a, b) => Buffer.compare(a.name, b.name));
  return writer.saveTree(encodeTree(nodes));
}

async function saveOne(writer: RepositoryWriter, name: string, bytes: Buffer): Promise<TreeNode> {
  async function* whole() {
    yield bytes;
  }
  const { ids } = await writer.saveStream(whole(), { kind: 'fixed', sizeBytes: 64 * 1024 });
  return {
    ...madeMetadata('file', 0o644, AT_NS),
    name: Buffer.from(name),
    sizeBytes: BigInt(bytes.length),
    content: ids,
  };
}
