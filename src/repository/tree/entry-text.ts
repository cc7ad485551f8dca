/**
 * What a tree says of an entry up to its links, written straight from a table of look-ups. Byte for byte what
 * `encodeTree` writes of the same entry, at a fraction of its cost.
 */
import { type EntryTable, groupName, userName } from '#base';
import { goFileMode } from './go-mode.ts';
import { jsonString, jsonStringOfByteString, quoteName } from './go-text.ts';
import { formatGoSeconds } from './go-time.ts';

/** In two parts, for the size is known for sure only when a file was read. Byte strings. */
export type EntryText = { head: string; tail: string };

export function entryText(table: EntryTable, entry: number): EntryText {
  const kind = table.kind(entry);
  const mode = goFileMode(kind, table.permissions(entry));
  const mtime = formatGoSeconds(table.mtimeSeconds(entry), table.mtimeNanoseconds(entry));
  const ctime = formatGoSeconds(table.ctimeSeconds(entry), table.ctimeNanoseconds(entry));
  const name = jsonOfName(table.names[entry] as string);
  const head =
    `{"name":${name},"type":"${kind}"${mode === 0 ? '' : `,"mode":${mode}`}` +
    `,"mtime":"${mtime}","atime":"${mtime}","ctime":"${ctime}"` +
    ownerText(table.uid(entry), table.gid(entry)) +
    digits('inode', table.inodeText(entry)) +
    digits('device_id', deviceText(table.deviceId(entry)));
  const hasLinks = kind !== 'dir' && kind !== 'fifo' && kind !== 'socket';
  return { head, tail: hasLinks ? digits('links', String(table.links(entry))) : '' };
}

/** `sizeBytes`: 0 for whatever is no regular file. */
export function wholeText({ head, tail }: EntryText, sizeBytes: number): string {
  return head + digits('size', String(sizeBytes)) + tail;
}

function digits(field: string, value: string): string {
  return value === '0' ? '' : `,"${field}":${value}`;
}

let lastDevice = { id: 0n, text: '0' };

function deviceText(id: bigint): string {
  if (lastDevice.id !== id) lastDevice = { id, text: id.toString() };
  return lastDevice.text;
}

const PLAIN_NAME = /^[ !#-%'-;=?-[\]-~]*$/;

function jsonOfName(name: string): string {
  if (PLAIN_NAME.test(name)) return `"${name}"`;
  return jsonStringOfByteString(quoteName(Buffer.from(name, 'latin1')));
}

/** Nearly every entry belongs to the same few. */
const owners = new Map<number, string>();
const MAX_OWNERS = 1024;

function ownerText(uid: number, gid: number): string {
  // Two numbers of 32 bits don't fit into one exactly; where they would fall together, no one remembers.
  const key = uid * 2 ** 21 + gid;
  const known = gid < 2 ** 21 ? owners.get(key) : undefined;
  if (known !== undefined) return known;
  const user = userName(uid);
  const group = groupName(gid);
  let text = `,"uid":${uid},"gid":${gid}`;
  if (user) text += `,"user":${jsonString(Buffer.from(user))}`;
  if (group) text += `,"group":${jsonString(Buffer.from(group))}`;
  if (gid < 2 ** 21 && owners.size < MAX_OWNERS) owners.set(key, text);
  return text;
}
