/** Repositories as file systems: `browse/` shows snapshots read-only; `fuse/` speaks with the kernel. */
export { type MountSnapshotsOptions, mountSnapshots } from './browse/mount-snapshots.ts';
export type { FuseSession } from './fuse/session.ts';
