/** All snapshots of a repository, to be looked through and copied from as ordinary files. */
import fs from 'node:fs/promises';
import type { Repository } from '#repository';
import { errors } from '../../errors.ts';
import { type FuseSession, startSession } from '../fuse/session.ts';
import { BrowseFileSystem } from './file-system.ts';
import { BrowsedRepository } from './repository-view.ts';

export type MountSnapshotsOptions = {
  /** An empty folder. */
  folder: string;
  /** Let users in who aren't the one that mounts. */
  allowOthers: boolean;
  /** Told of every file, folder or snapshot that couldn't be read; a program that asked for it saw an I/O error. */
  onFailure: (error: unknown) => void;
};

/** Resolves when everything can be read. Throws `recovery/mount-point-unfit` and what `startSession` does. */
export async function mountSnapshots(
  repository: Repository,
  { folder, allowOthers, onFailure }: MountSnapshotsOptions,
): Promise<FuseSession> {
  await refuseUnfit(folder);
  const view = new BrowsedRepository(repository, onFailure);
  await view.refresh();
  return await startSession(folder, new BrowseFileSystem(view, onFailure), {
    allowOthers,
    readOnly: true,
  });
}

async function refuseUnfit(folder: string): Promise<void> {
  try {
    const entries = await fs.readdir(folder);
    if (entries.length > 0) throw errors.mountPointUnfit([folder, 'it is not empty']);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw errors.mountPointUnfit([folder, 'there is no such folder'], { cause });
    if (code === 'ENOTDIR') throw errors.mountPointUnfit([folder, 'it is no folder'], { cause });
    throw cause;
  }
}
