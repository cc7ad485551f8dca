/**
 * POSIX ACLs as Linux keeps them in the attributes `system.posix_acl_access` and `_default` (linux/posix_acl_xattr.h),
 * as the short text of acl(5) that tar carries. Ids are numbers.
 */

const VERSION = 2;
const HEADER_BYTES = 4;
const ENTRY_BYTES = 8;

const TAGS: Record<number, { word: string; hasId: boolean }> = {
  1: { word: 'user', hasId: false },
  2: { word: 'user', hasId: true },
  4: { word: 'group', hasId: false },
  8: { word: 'group', hasId: true },
  16: { word: 'mask', hasId: false },
  32: { word: 'other', hasId: false },
};

/** Undefined where the bytes are no ACL of the known version. */
export function aclText(value: Buffer): string | undefined {
  if (value.length < HEADER_BYTES || value.readUInt32LE(0) !== VERSION) return undefined;
  if ((value.length - HEADER_BYTES) % ENTRY_BYTES !== 0) return undefined;
  const entries: string[] = [];
  for (let at = HEADER_BYTES; at < value.length; at += ENTRY_BYTES) {
    const tag = TAGS[value.readUInt16LE(at)];
    if (!tag) return undefined;
    const rights = value.readUInt16LE(at + 2);
    const letters = `${rights & 4 ? 'r' : '-'}${rights & 2 ? 'w' : '-'}${rights & 1 ? 'x' : '-'}`;
    entries.push(`${tag.word}:${tag.hasId ? value.readUInt32LE(at + 4) : ''}:${letters}`);
  }
  return entries.join(',');
}
