import type { FileMetadata } from '#base';
import type { RootMetadata } from '#repository';

/** What a record says of a captured folder itself, in the shape that every other entry has. */
export function rootAsEntry(root: RootMetadata): FileMetadata {
  return {
    kind: 'dir',
    permissions: root.permissions,
    mtimeNs: root.mtimeNs,
    atimeNs: root.mtimeNs,
    ctimeNs: 0n,
    uid: root.uid,
    gid: root.gid,
    user: root.user,
    group: root.group,
    inode: 0n,
    deviceId: 0n,
    links: 1n,
    sizeBytes: 0n,
    xattrs: root.xattrs.map(({ name, value }) => ({
      name: Buffer.from(name, 'base64'),
      value: Buffer.from(value, 'base64'),
    })),
  };
}
