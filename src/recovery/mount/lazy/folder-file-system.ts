/** A lazy folder as the kernel sees it: what to answer to each request. */
import fs from 'node:fs';
import os from 'node:os';
import {
  decodeCreate,
  decodeSetAttributes,
  SET,
  type SetAttributes,
} from '../fuse/change-requests.ts';
import { OPCODE } from '../fuse/opcodes.ts';
import {
  decodeForgets,
  encodeAttributes,
  type FuseRequest,
  type NodeAttributes,
} from '../fuse/wire.ts';
import { attributesOf } from './attributes.ts';
import { FolderFiles, type MaybeAnswer } from './folder-files.ts';
import { FolderNames, KNOWN } from './folder-names.ts';
import { FolderXattrs } from './folder-xattrs.ts';
import type { Deferred } from './messages.ts';
import type { FolderNode, NodeTable } from './nodes.ts';
import type { PageStore } from './page-store.ts';
import { setByDescriptor, setByPath } from './set-attributes.ts';
import { encodeStatfsOf } from './statfs.ts';

const { EIO, ENOENT, ENOSYS } = os.constants.errno;

type Answering = (node: FolderNode, request: FuseRequest) => MaybeAnswer;

export type FolderParts = {
  folder: string;
  nodes: NodeTable;
  pages: PageStore;
  hasXattrs: boolean;
  /** True once what was written to it before is durable. */
  isSettled: () => boolean;
  defer: (request: Deferred) => void;
};

export class FolderFileSystem {
  readonly #folder: string;
  readonly #nodes: NodeTable;
  readonly #names: FolderNames;
  readonly #files: FolderFiles;
  readonly #xattrs: FolderXattrs;
  readonly #defer: (request: Deferred) => void;

  constructor({ folder, nodes, pages, hasXattrs, isSettled, defer }: FolderParts) {
    this.#folder = folder;
    this.#nodes = nodes;
    this.#names = new FolderNames(nodes, hasXattrs);
    this.#files = new FolderFiles(nodes, pages, isSettled, defer);
    this.#xattrs = new FolderXattrs(hasXattrs);
    this.#defer = defer;
  }

  /** Undefined where nothing is answered, or somebody else will. Never throws. */
  answer(request: FuseRequest): MaybeAnswer {
    const node = this.#nodes.get(request.node);
    const answering = this.#answers[request.opcode];
    if (!answering) return { errno: ENOSYS };
    if (!node && request.opcode !== OPCODE.batchForget) return { errno: ENOENT };
    try {
      return answering(node as FolderNode, request);
    } catch (error) {
      return { errno: Math.abs((error as NodeJS.ErrnoException).errno ?? EIO) };
    }
  }

  /** At the end of the mount, when nobody can release them any more. */
  openDescriptors(): number[] {
    return [...this.#files.openDescriptors(), ...this.#nodes.keptDescriptors()];
  }

  readonly #answers: Record<number, Answering> = {
    [OPCODE.lookup]: (node, request) => this.#names.lookup(node, request),
    [OPCODE.forget]: ({ number }, { body }) => this.#forget(number, body.readBigUInt64LE(0)),
    [OPCODE.batchForget]: (_, { body }) => this.#forgetMany(body),
    [OPCODE.getattr]: (node) => this.#attributes(node),
    [OPCODE.setattr]: (node, { body }) => this.#setAttributes(node, decodeSetAttributes(body)),
    [OPCODE.readlink]: (node) => [fs.readlinkSync(this.#pathOf(node), 'buffer')],
    [OPCODE.symlink]: (node, request) => this.#names.makeSymlink(node, request),
    [OPCODE.mknod]: (node, request) => this.#names.makeNode(node, request),
    [OPCODE.mkdir]: (node, request) => this.#names.makeDirectory(node, request),
    [OPCODE.unlink]: (node, request) => this.#names.unlink(node, request),
    [OPCODE.rmdir]: (node, request) => this.#names.removeDirectory(node, request),
    [OPCODE.rename]: (node, request) => this.#names.rename(node, request, false),
    [OPCODE.rename2]: (node, request) => this.#names.rename(node, request, true),
    [OPCODE.link]: (node, request) => this.#names.link(node, request),
    [OPCODE.open]: (node, { body }) => this.#files.open(node, body),
    [OPCODE.create]: (node, request) => this.#create(node, request),
    [OPCODE.read]: (_, request) => this.#files.read(request),
    [OPCODE.write]: (_, request) => this.#files.write(request),
    [OPCODE.flush]: () => [],
    [OPCODE.setxattr]: (node, { body }) => this.#xattrs.set(this.#pathOf(node), body),
    [OPCODE.getxattr]: (node, { body }) => this.#xattrs.get(this.#pathOf(node), body),
    [OPCODE.listxattr]: (node, { body }) => this.#xattrs.list(this.#pathOf(node), body),
    [OPCODE.removexattr]: (node, { body }) => this.#xattrs.remove(this.#pathOf(node), body),
    [OPCODE.release]: (_, { body }) => this.#files.release(body),
    [OPCODE.fsync]: (_, request) => this.#files.sync(request),
    [OPCODE.fallocate]: (_, request) => this.#files.allocate(request),
    [OPCODE.opendir]: () => this.#names.openDirectory(),
    [OPCODE.readdir]: (node, request) => this.#names.readDirectory(node, request, false),
    [OPCODE.readdirplus]: (node, request) => this.#names.readDirectory(node, request, true),
    [OPCODE.releasedir]: (_, request) => this.#names.releaseDirectory(request),
    [OPCODE.fsyncdir]: (node, { unique }) => this.#syncDirectory(node, unique),
    [OPCODE.statfs]: () => [encodeStatfsOf(this.#folder)],
    [OPCODE.interrupt]: () => undefined,
    [OPCODE.destroy]: () => [],
  };

  #forget(number: bigint, lookups: bigint): undefined {
    this.#nodes.forget(number, lookups);
  }

  #forgetMany(body: Buffer): undefined {
    for (const { node, lookups } of decodeForgets(body)) this.#nodes.forget(node, lookups);
  }

  #attributes(node: FolderNode): MaybeAnswer {
    return [encodeAttributes(attributesOf(node.number, this.#stat(node)), KNOWN)];
  }

  #setAttributes(node: FolderNode, wanted: SetAttributes): MaybeAnswer {
    const path = this.#nodes.pathOf(node);
    // Removed and closed: the kernel still wants to store its times, and nobody will ever see them.
    if (!path && node.descriptors.length === 0) return [encodeAttributes(REMOVED, KNOWN)];
    const before = this.#stat(node);
    if (path) setByPath(path, before, wanted);
    else setByDescriptor(this.#descriptorOf(node), before, wanted);
    if (wanted.valid & SET.size) {
      const refused = this.#files.resize(node, Number(wanted.sizeBytes));
      if (refused) return refused;
      // Cutting changes the times of the file below; the kernel says what they are to be.
      if (path && wanted.valid & (SET.atime | SET.mtime)) setByPath(path, before, wanted);
    }
    return this.#attributes(node);
  }

  #create(parent: FolderNode, request: FuseRequest): MaybeAnswer {
    const { flags, mode, name } = decodeCreate(request.body);
    const { node, descriptor, entry } = this.#names.create(parent, name, flags, mode, request);
    return [entry, this.#files.opened(node, descriptor)];
  }

  #syncDirectory(node: FolderNode, unique: bigint): MaybeAnswer {
    const descriptor = fs.openSync(this.#pathOf(node), 'r');
    const where = { file: undefined, descriptor, closeAfter: true };
    this.#defer({ kind: 'sync', unique, dataOnly: false, ...where });
    return undefined;
  }

  #stat(node: FolderNode): fs.BigIntStats {
    const path = this.#nodes.pathOf(node);
    if (path) return fs.lstatSync(path, { bigint: true });
    return fs.fstatSync(this.#descriptorOf(node), { bigint: true });
  }

  #pathOf(node: FolderNode): Buffer {
    const path = this.#nodes.pathOf(node);
    if (!path) throw gone();
    return path;
  }

  #descriptorOf({ descriptors: [descriptor] }: FolderNode): number {
    if (descriptor === undefined) throw gone();
    return descriptor;
  }
}

const REMOVED: NodeAttributes = {
  ...{ node: 0n, sizeBytes: 0n, mode: fs.constants.S_IFREG, links: 0, uid: 0, gid: 0, device: 0 },
  ...{ atimeNs: 0n, mtimeNs: 0n, ctimeNs: 0n },
};

function gone(): Error {
  return Object.assign(new Error('it has neither name nor descriptor'), { errno: -ENOENT });
}
