/** The snapshots of a repository as a read-only file system: what to answer to each question of the kernel. */
import os from 'node:os';
import { isFlagsAttribute } from '#base';
import type { TreeNode } from '#repository';
import { OPCODE, OPENED } from '../fuse/opcodes.ts';
import type { FuseAnswer } from '../fuse/reply.ts';
import { type FuseFileSystem, NOT_SUPPORTED } from '../fuse/session.ts';
import {
  DirectoryAnswer,
  decodeName,
  decodeRead,
  encodeAbsence,
  encodeAttributes,
  encodeEntry,
  encodeOpened,
  encodeStatfs,
  type FuseRequest,
} from '../fuse/wire.ts';
import { answerAttribute, answerAttributeNames } from '../fuse/xattr-answers.ts';
import { attributesOf } from './attributes.ts';
import type { ContentReader } from './file-content.ts';
import { type BrowseNode, NodeTable, numberOfEntry } from './nodes.ts';
import type { BrowsedFolder, BrowsedRepository, NamedNode } from './repository-view.ts';

const { EINVAL, EIO, EISDIR, ENOENT, ENOTDIR, EROFS } = os.constants.errno;

/** A snapshot never changes; our own folders do with every backup. */
const FOR_EVER = { validMs: 24 * 60 * 60 * 1000 };
const BRIEFLY = { validMs: 1000 };

const ACCESS_WRITE = 2;

type Answering = (request: FuseRequest, node: BrowseNode) => FuseAnswer | Promise<FuseAnswer>;

export class BrowseFileSystem implements FuseFileSystem {
  readonly #view: BrowsedRepository;
  readonly #nodes = new NodeTable();
  readonly #files = new Map<bigint, ContentReader>();
  #nextHandle = 1n;
  /** Told of every file or folder that couldn't be read, with what was wrong. */
  readonly #onFailure: (error: unknown) => void;

  constructor(view: BrowsedRepository, onFailure: (error: unknown) => void) {
    this.#view = view;
    this.#onFailure = onFailure;
  }

  async answer(request: FuseRequest): Promise<FuseAnswer> {
    const node = this.#nodes.get(request.node);
    const answering = this.#answers[request.opcode];
    if (!answering) return NOT_SUPPORTED;
    if (!node) return request.opcode === OPCODE.statfs ? this.#statfs() : { errno: ENOENT };
    try {
      return await answering(request, node);
    } catch (error) {
      this.#onFailure(error);
      return { errno: EIO };
    }
  }

  forget(node: bigint, lookups: bigint): void {
    this.#nodes.forget(node, lookups);
  }

  readonly #answers: Record<number, Answering> = {
    [OPCODE.lookup]: (request, node) => this.#lookup(request, node),
    [OPCODE.getattr]: (_, node) => [encodeAttributes(this.#attributes(node), validity(node))],
    [OPCODE.readlink]: (_, node) => readLink(node),
    [OPCODE.open]: (_, node) => this.#open(node),
    [OPCODE.read]: (request) => this.#read(request),
    [OPCODE.release]: (request) => this.#release(request),
    [OPCODE.flush]: () => [],
    [OPCODE.opendir]: (_, node) => [encodeOpened(0n, isOurs(node) ? 0 : OPENED.cacheDir)],
    [OPCODE.readdir]: (request, node) => this.#readFolder(request, node),
    [OPCODE.readdirplus]: (request, node) => this.#readFolder(request, node, validity(node)),
    [OPCODE.releasedir]: () => [],
    [OPCODE.statfs]: () => this.#statfs(),
    [OPCODE.access]: ({ body }) =>
      (body.readUInt32LE(0) & ACCESS_WRITE) === 0 ? [] : { errno: EROFS },
    [OPCODE.getxattr]: ({ body }, node) => answerAttribute(body, attributesIn(node)),
    [OPCODE.listxattr]: ({ body }, node) => answerAttributeNames(body, attributesIn(node)),
  };

  async #lookup({ body }: FuseRequest, parent: BrowseNode): Promise<FuseAnswer> {
    const name = decodeName(body);
    const folder = await this.#view.folder(parent);
    if (!folder) return { errno: ENOTDIR };
    const child = childNamed(parent, folder, name);
    if (!child) return [encodeAbsence(validity(parent))];
    this.#nodes.hold(child.node);
    return [encodeEntry(this.#attributes(child.node), validity(child.node))];
  }

  async #readFolder(
    { body }: FuseRequest,
    node: BrowseNode,
    plus?: { validMs: number },
  ): Promise<FuseAnswer> {
    const { offset, sizeBytes } = decodeRead(body);
    const folder = await this.#view.folder(node);
    if (!folder) return { errno: ENOTDIR };
    const answer = new DirectoryAnswer(sizeBytes, plus);
    for (let place = Number(offset); place < folder.count + 2; place += 1) {
      const child = this.#childAt(node, folder, place);
      const attributes = this.#attributes(child.node);
      // The kernel knows these two by itself, and must not be told of them as if by a lookup.
      const shown = place < 2 && plus ? { ...attributes, node: 0n } : attributes;
      if (!answer.add({ name: child.name, attributes: shown, next: BigInt(place + 1) })) break;
      if (plus && place >= 2) this.#nodes.hold(child.node);
    }
    return [answer.bytes()];
  }

  #childAt(parent: BrowseNode, folder: BrowsedFolder, place: number): NamedNode {
    if (place < 2) return { name: Buffer.from('.'.repeat(place + 1)), node: parent };
    return folder.kind === 'ours'
      ? (folder.entries[place - 2] as NamedNode)
      : childOf(parent, folder.tree, folder.listing.entry(place - 2) as TreeNode);
  }

  #open(node: BrowseNode): FuseAnswer {
    if (node.kind !== 'entry' || node.entry.kind !== 'file') return { errno: EISDIR };
    const content = this.#view.openFile(node.entry);
    if (!content) return { errno: EIO };
    const handle = this.#nextHandle;
    this.#nextHandle += 1n;
    this.#files.set(handle, content);
    return [encodeOpened(handle, OPENED.keepCache)];
  }

  async #read({ body }: FuseRequest): Promise<FuseAnswer> {
    const { handle, offset, sizeBytes } = decodeRead(body);
    const content = this.#files.get(handle);
    if (!content) return { errno: EINVAL };
    return await content.read(Number(offset), sizeBytes);
  }

  #release({ body }: FuseRequest): FuseAnswer {
    this.#files.delete(body.readBigUInt64LE(0));
    return [];
  }

  #statfs(): FuseAnswer {
    return [encodeStatfs(BigInt(this.#nodes.count), 0n)];
  }

  #attributes(node: BrowseNode) {
    const isFile = node.kind === 'entry' && node.entry.kind === 'file';
    return attributesOf(node, isFile ? this.#view.sizeOf(node.entry) : 0n);
  }
}

function childNamed(
  parent: BrowseNode,
  folder: BrowsedFolder,
  name: Buffer,
): NamedNode | undefined {
  if (folder.kind === 'ours') return folder.byName.get(name.toString('latin1'));
  const entry = folder.listing.named(name);
  return entry && childOf(parent, folder.tree, entry);
}

function childOf(parent: BrowseNode, tree: string, entry: TreeNode): NamedNode {
  const number = numberOfEntry(parent, tree, entry);
  return { name: entry.name, node: { number, kind: 'entry', entry } };
}

function readLink(node: BrowseNode): FuseAnswer {
  if (node.kind === 'link') return [Buffer.from(node.target)];
  const target = node.kind === 'entry' ? node.entry.linkTarget : undefined;
  return target ? [target] : { errno: EINVAL };
}

function isOurs(node: BrowseNode): boolean {
  return node.kind === 'folder' || node.kind === 'link';
}

function validity(node: BrowseNode): { validMs: number } {
  return isOurs(node) ? BRIEFLY : FOR_EVER;
}

function attributesIn(node: BrowseNode) {
  if (node.kind !== 'entry') return [];
  return node.entry.xattrs.filter((attribute) => !isFlagsAttribute(attribute));
}
