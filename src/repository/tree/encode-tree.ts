/** Trees as restic 0.14 writes them, byte for byte: equal directories share one blob, whoever saved them. */

import { errors } from '../errors.ts';
import { ID_BYTES } from '../names.ts';
import { goFileMode } from './go-mode.ts';
import { isUtf8, jsonString, jsonStringOfByteString, quoteName } from './go-text.ts';
import { formatGoTime } from './go-time.ts';
import type { TreeNode } from './node.ts';

/** Text is turned into bytes once so much has gathered; no string grows with the size of a directory. */
const PART_CHARACTERS = 64 * 1024;
const IDS_PER_PART = 4096;

/** A node that is written already: as a byte string, up to its content where it has one that is still to come. */
export type WrittenNode = { name: Buffer; text: string; content?: Buffer };

/** Nodes of one stored tree that follow one another there, as they lie: from the first one's brace to the last one's. */
export type NodeSpan = { name: Buffer; lastName: Buffer; bytes: Buffer };

/**
 * The bytes of a tree, in parts that follow one another. The nodes must come sorted by the raw bytes of their names
 * (`Buffer.compare`), each name once. Link counts of directories, FIFOs and sockets, and sizes of what is no regular
 * file aren't written, as restic leaves them out. Bytes of xattr names that aren't UTF-8 can't be kept by the format.
 * Throws `repository/tree-unordered` and `repository/tree-name`.
 */
export function encodeTree(nodes: Iterable<TreeNode | WrittenNode | NodeSpan>): Buffer[] {
  return [...encodeTreeInParts(nodes)];
}

/** The same for trees that needn't be in memory as a whole: no further nodes are asked for before a part is taken. */
export function* encodeTreeInParts(
  nodes: Iterable<TreeNode | WrittenNode | NodeSpan>,
): Generator<Buffer> {
  const parts: Buffer[] = [];
  let text = '{"nodes":[';
  let previous: Buffer | undefined;
  for (const node of nodes) {
    checkName(node.name, previous);
    if (previous) text += ',';
    previous = 'lastName' in node ? node.lastName : node.name;
    text = 'lastName' in node ? encodeSpan(node, text, parts) : encodeNode(node, text, parts);
    if (text.length >= PART_CHARACTERS) {
      parts.push(Buffer.from(text, 'latin1'));
      text = '';
    }
    if (parts.length > 0) yield* parts.splice(0);
  }
  yield Buffer.from(`${text}]}\n`, 'latin1');
}

/** All of one node, as a byte string. Throws `repository/tree-name`. */
export function nodeText(node: TreeNode | WrittenNode): string {
  checkName(node.name, undefined);
  const parts: Buffer[] = [];
  const rest = encodeNode(node, '', parts);
  return parts.map((part) => part.toString('latin1')).join('') + rest;
}

/** Appends the node to the text; where its content is long, the text moves into parts meanwhile. Returns what is left. */
function encodeNode(node: TreeNode | WrittenNode, before: string, parts: Buffer[]): string {
  if ('text' in node) {
    const text = before + node.text;
    return node.content ? `${encodeIds(node.content, text, parts)}}` : text;
  }
  const text = encodeContent(node, before + encodeBeforeContent(node), parts);
  return text + (node.subtree === undefined ? '}' : `,"subtree":"${node.subtree}"}`);
}

/** The same: a long span is passed on as it lies. */
function encodeSpan({ bytes }: NodeSpan, before: string, parts: Buffer[]): string {
  if (bytes.length < PART_CHARACTERS) return before + bytes.toString('latin1');
  parts.push(Buffer.from(before, 'latin1'), bytes);
  return '';
}

function checkName(name: Buffer, previous: Buffer | undefined): void {
  if (!isPathComponent(name)) throw errors.treeName([showName(name)]);
  if (previous && Buffer.compare(previous, name) >= 0) {
    throw errors.treeUnordered([showName(name), showName(previous)]);
  }
}

/** True for what can be an entry's name: not empty, not `.` or `..`, without `/` and NUL. */
export function isPathComponent(name: Buffer): boolean {
  if (name.length === 0 || name.includes(0) || name.includes(0x2f)) return false;
  return !(name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e)));
}

/** A name for messages: quoted, so that no byte of it can disturb a terminal. */
export function showName(name: Buffer): string {
  return Buffer.from(quoteName(name), 'latin1').toString('utf8');
}

function encodeBeforeContent(node: TreeNode): string {
  const mode = goFileMode(node.kind, node.permissions);
  let text = `{"name":${jsonStringOfByteString(quoteName(node.name))},"type":"${node.kind}"`;
  if (mode !== 0) text += `,"mode":${mode}`;
  text += `,"mtime":"${formatGoTime(node.mtimeNs)}","atime":"${formatGoTime(node.atimeNs)}"`;
  text += `,"ctime":"${formatGoTime(node.ctimeNs)}","uid":${node.uid},"gid":${node.gid}`;
  if (node.user) text += `,"user":${jsonString(Buffer.from(node.user))}`;
  if (node.group) text += `,"group":${jsonString(Buffer.from(node.group))}`;
  text += optionalNumber('inode', node.inode) + optionalNumber('device_id', node.deviceId);
  if (node.kind === 'file') text += optionalNumber('size', node.sizeBytes);
  if (hasLinkCount(node)) text += optionalNumber('links', node.links);
  if (node.linkTarget && node.kind === 'symlink') text += encodeLinkTarget(node.linkTarget);
  if (node.xattrs.length > 0) text += encodeXattrs(node);
  if (node.kind === 'dev' || node.kind === 'chardev') {
    text += optionalNumber('device', node.device ?? 0n);
  }
  return text;
}

function hasLinkCount({ kind }: TreeNode): boolean {
  return kind !== 'dir' && kind !== 'fifo' && kind !== 'socket';
}

function optionalNumber(field: string, value: bigint): string {
  return value === 0n ? '' : `,"${field}":${BigInt.asUintN(64, value)}`;
}

/** restic 0.14 loses targets that aren't UTF-8; later ones keep the raw bytes beside, which 0.14 leaves alone. */
function encodeLinkTarget(target: Buffer): string {
  if (target.length === 0) return '';
  const text = `,"linktarget":${jsonString(target)}`;
  return isUtf8(target) ? text : `${text},"linktarget_raw":"${target.toString('base64')}"`;
}

function encodeXattrs(node: TreeNode): string {
  const encoded = node.xattrs.map(
    ({ name, value }) => `{"name":${jsonString(name)},"value":"${value.toString('base64')}"}`,
  );
  return `,"extended_attributes":[${encoded.join(',')}]`;
}

/** Appends the content to the text; where it is long, the text moves into parts meanwhile. Returns what is left. */
function encodeContent(node: TreeNode, before: string, parts: Buffer[]): string {
  if (node.kind !== 'file') return `${before},"content":null`;
  return encodeIds(node.content ?? Buffer.alloc(0), before, parts);
}

function encodeIds(content: Buffer, before: string, parts: Buffer[]): string {
  let text = `${before},"content":[`;
  for (let at = 0; at < content.length; at += ID_BYTES) {
    text += `${at === 0 ? '' : ','}"${content.toString('hex', at, at + ID_BYTES)}"`;
    if (at % (IDS_PER_PART * ID_BYTES) === 0 && text.length >= PART_CHARACTERS) {
      parts.push(Buffer.from(text, 'latin1'));
      text = '';
    }
  }
  return `${text}]`;
}
