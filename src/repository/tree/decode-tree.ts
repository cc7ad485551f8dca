/** Trees as any restic, rustic or Holdfast wrote them, read from their bytes one node at a time. */

import type { ExtendedAttribute, FileKind } from '#base';
import { errors } from '../errors.ts';
import { ID_BYTES } from '../names.ts';
import { isPathComponent, showName } from './encode-tree.ts';
import { FILE_KINDS, posixPermissions } from './go-mode.ts';
import { unquoteName } from './go-text.ts';
import { parseGoTime, parseUsualGoTime } from './go-time.ts';
import { JsonBytes } from './json-bytes.ts';
import type { TreeNode } from './node.ts';

const NULL_BYTE = Buffer.of(0);
const OPENING_BRACE = 0x7b;

type NodeFields = {
  name?: Buffer;
  type?: string;
  mode: number;
  content?: Buffer;
  linkTargetRaw?: Buffer;
  /** The node itself: what is beside it here comes to it at the end. */
  metadata: TreeNode;
};

/**
 * Yields the nodes in the order in which they lie. Unknown fields are skipped. Times that are absent are 0. Throws
 * `repository/tree-damaged` for whatever isn't a tree, also for a name that is no name of one entry (`../x`) or comes
 * twice (a link and a folder of one name would lead a restore astray), and for a kind of entry that Holdfast doesn't
 * know. The buffer must not be changed while the generator lives.
 */
export function* decodeTree(bytes: Buffer): Generator<TreeNode> {
  for (const { node } of decodePlacedNodes(bytes)) yield node;
}

export type PlacedNode = { node: TreeNode; start: number; end: number };

/** The same with the place of each node's own bytes. */
export function* decodePlacedNodes(bytes: Buffer): Generator<PlacedNode> {
  let previous: Buffer | undefined;
  let seen: Set<string> | undefined;
  for (const placed of placedNodes(bytes)) {
    const { name } = placed.node;
    // Every writer orders them: only where one didn't, all names must be kept in mind.
    if (previous && Buffer.compare(previous, name) >= 0) seen ??= namesBefore(bytes, placed.start);
    if (seen?.has(name.toString('latin1'))) {
      throw errors.treeDamaged([`"${showName(name)}" comes twice`]);
    }
    seen?.add(name.toString('latin1'));
    previous = name;
    yield placed;
  }
}

/**
 * The node that begins there, white space and a comma before it aside; undefined behind the last one. Throws
 * `repository/tree-damaged`.
 */
export function decodeNodeAt(bytes: Buffer, at: number): PlacedNode | undefined {
  const json = new JsonBytes(bytes, at);
  json.takeComma();
  if (json.peek() !== OPENING_BRACE) return undefined;
  const start = json.position;
  const node = readNode(json);
  return { node, start, end: json.position };
}

function namesBefore(bytes: Buffer, end: number): Set<string> {
  const names = new Set<string>();
  for (const { node, start } of placedNodes(bytes)) {
    if (start >= end) break;
    names.add(node.name.toString('latin1'));
  }
  return names;
}

function* placedNodes(bytes: Buffer): Generator<PlacedNode> {
  const json = new JsonBytes(bytes);
  for (const key of json.objectKeys()) {
    if (key !== 'nodes') json.skipValue();
    else if (!json.takeNull()) {
      for (const _ of json.arrayElements()) {
        json.peek();
        const start = json.position;
        const node = readNode(json);
        yield { node, start, end: json.position };
      }
    }
  }
  json.expectEnd();
}

function readNode(json: JsonBytes): TreeNode {
  const fields: NodeFields = { mode: 0, metadata: emptyMetadata() };
  for (const key of json.objectKeys()) {
    if (json.takeNull()) continue;
    const read = FIELD_READERS[key];
    if (read) read(json, fields);
    else json.skipValue();
  }
  return nodeOf(fields);
}

function nodeOf(fields: NodeFields): TreeNode {
  const { name, metadata } = fields;
  if (!name) throw errors.treeDamaged(['an entry has no name']);
  if (!isPathComponent(name)) {
    throw errors.treeDamaged([`"${showName(name)}" can't be the name of an entry`]);
  }
  const kind = fields.type as FileKind;
  if (!FILE_KINDS.includes(kind)) {
    throw errors.treeDamaged([`"${showName(name)}" is of unknown type "${fields.type ?? ''}"`]);
  }
  if (fields.linkTargetRaw) metadata.linkTarget = fields.linkTargetRaw;
  if (kind === 'symlink' && (!metadata.linkTarget || metadata.linkTarget.includes(NULL_BYTE))) {
    throw errors.treeDamaged([`the link "${showName(name)}" has no usable target`]);
  }
  metadata.name = name;
  metadata.kind = kind;
  metadata.permissions = posixPermissions(fields.mode);
  if (kind === 'file') metadata.content = fields.content ?? Buffer.alloc(0);
  return metadata;
}

function emptyMetadata(): TreeNode {
  return {
    name: NULL_BYTE,
    kind: 'file',
    permissions: 0,
    mtimeNs: 0n,
    atimeNs: 0n,
    ctimeNs: 0n,
    uid: 0,
    gid: 0,
    user: '',
    group: '',
    inode: 0n,
    deviceId: 0n,
    links: 0n,
    sizeBytes: 0n,
    xattrs: [],
  };
}

type FieldReader = (json: JsonBytes, fields: NodeFields) => void;

/** By their names in the JSON. A Map-like object without a prototype: `constructor` is no field. */
const FIELD_READERS: Record<string, FieldReader> = Object.assign(Object.create(null), {
  name: (json, fields) => {
    fields.name = unquoteName(json.readString()) ?? json.fail('a name is not quoted as Go quotes');
  },
  type: (json, fields) => {
    fields.type = readRecurring(json, lastTexts.type, textOf);
  },
  mode: (json, fields) => {
    fields.mode = json.readUint32();
  },
  mtime: (json, { metadata }) => {
    metadata.mtimeNs = readTime(json);
  },
  atime: (json, { metadata }) => {
    metadata.atimeNs = readTime(json);
  },
  ctime: (json, { metadata }) => {
    metadata.ctimeNs = readTime(json);
  },
  uid: (json, { metadata }) => {
    metadata.uid = json.readUint32();
  },
  gid: (json, { metadata }) => {
    metadata.gid = json.readUint32();
  },
  user: (json, { metadata }) => {
    metadata.user = readRecurring(json, lastTexts.user, textOf);
  },
  group: (json, { metadata }) => {
    metadata.group = readRecurring(json, lastTexts.group, textOf);
  },
  inode: (json, { metadata }) => {
    metadata.inode = json.readUint64();
  },
  device_id: (json, { metadata }) => {
    metadata.deviceId = json.readUint64();
  },
  size: (json, { metadata }) => {
    metadata.sizeBytes = json.readUint64();
  },
  links: (json, { metadata }) => {
    metadata.links = json.readUint64();
  },
  linktarget: (json, { metadata }) => {
    metadata.linkTarget = Buffer.from(json.readString());
  },
  linktarget_raw: (json, fields) => {
    fields.linkTargetRaw = readBase64(json);
  },
  extended_attributes: (json, { metadata }) => {
    metadata.xattrs = readXattrs(json);
  },
  device: (json, { metadata }) => {
    metadata.device = json.readUint64();
  },
  content: (json, fields) => {
    fields.content = json.readIds();
  },
  subtree: (json, { metadata }) => {
    const id = Buffer.alloc(ID_BYTES);
    json.readIdInto(id, 0);
    metadata.subtree = id.toString('hex');
  },
} satisfies Record<string, FieldReader>);

/** What was read last, and how it was written: most of it comes again. */
type Recent<T> = { written: Uint8Array; length: number; value: T };

const MOST_RECURRING_BYTES = 64;

function recent<T>(value: T): Recent<T> {
  return { written: new Uint8Array(MOST_RECURRING_BYTES), length: 0, value };
}

const lastTexts = { type: recent(''), user: recent(''), group: recent('') };
/** A file's time of access is mostly that of its last change. */
const lastTime = recent(0n);

function readRecurring<T>(json: JsonBytes, last: Recent<T>, read: (json: JsonBytes) => T): T {
  if (json.takeExactly(last.written, last.length)) return last.value;
  const start = json.position;
  last.length = 0;
  last.value = read(json);
  last.length = json.copyTaken(start, last.written);
  return last.value;
}

function textOf(json: JsonBytes): string {
  return json.readString().toString();
}

function readTime(json: JsonBytes): bigint {
  return readRecurring(json, lastTime, timeOf);
}

function timeOf(json: JsonBytes): bigint {
  const text = json.readString();
  const ns = parseUsualGoTime(text) ?? parseGoTime(text.toString('latin1'));
  return ns ?? json.fail('a time is not as in RFC 3339');
}

function readBase64(json: JsonBytes): Buffer {
  const text = json.readString().toString('latin1');
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) json.fail('a value is not base64');
  return bytes;
}

function readXattrs(json: JsonBytes): ExtendedAttribute[] {
  const xattrs: ExtendedAttribute[] = [];
  for (const _ of json.arrayElements()) {
    const xattr: ExtendedAttribute = { name: Buffer.alloc(0), value: Buffer.alloc(0) };
    for (const key of json.objectKeys()) {
      if (json.takeNull()) continue;
      if (key === 'name') xattr.name = Buffer.from(json.readString());
      else if (key === 'value') xattr.value = readBase64(json);
      else json.skipValue();
    }
    xattrs.push(xattr);
  }
  return xattrs;
}
