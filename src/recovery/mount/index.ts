/**
 * Repositories as file systems: `browse/` shows snapshots read-only; `lazy/` is a tree that can be
 * written to before any of it is here, `service/` the process that serves such trees; `fuse/` speaks with the kernel.
 */

export { type MountSnapshotsOptions, mountSnapshots } from './browse/mount-snapshots.ts';
export { whyNoMount } from './can-mount.ts';
export {
  detach,
  detachAll,
  detachDeadMounts,
  mountPointsBelow,
  unmountIdle,
} from './dead-mounts.ts';
export type { FuseSession } from './fuse/session.ts';
export { isLaidOut } from './lazy/lay-out.ts';
export { type LeftFolder, openLeftFolder } from './lazy/left-folder.ts';
export {
  type HeldService,
  type MountClient,
  type MountClientOptions,
  type MountControl,
  mountClient,
  mountControl,
} from './service/client.ts';
export { mountServiceFolder } from './service/folder.ts';
export type * from './service/protocol.ts';
