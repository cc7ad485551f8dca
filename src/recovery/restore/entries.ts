/** Makes single entries in the target. Nothing is followed, and nothing is replaced unless that was asked for. */
import fs from 'node:fs';
import { makeDevice, makeFifo, systemCode } from '#base';
import type { TreeNode } from '#repository';
import { removeFolder } from './remove-others.ts';
import type { RestoreRequest } from './request.ts';

type Existing = NonNullable<RestoreRequest['existing']>;

/** Folders are made for the owner alone: nobody else may reach in until the last step gives them their rights. */
const BUILDING_PERMISSIONS = 0o700;

/**
 * `free`: nothing of that name is there any more. `kept`: something stays, as `skip` says. `updatable`: a regular file
 * of this one name stays, to be brought up to date. Throws system errors; ENOTEMPTY for a folder that mustn't go.
 */
export function clearTheWay(
  path: Buffer,
  node: Pick<TreeNode, 'kind' | 'links'>,
  { existing = 'refuse', removeOthers }: Pick<RestoreRequest, 'existing' | 'removeOthers'>,
): 'free' | 'kept' | 'updatable' {
  if (existing === 'refuse') return 'free';
  const stat = fs.lstatSync(path, { throwIfNoEntry: false });
  if (!stat) return 'free';
  if (existing === 'skip') return 'kept';
  // What has further names may have them anywhere: they must not change with it.
  const isAlone = stat.isFile() && stat.nlink === 1;
  if (existing === 'update' && isAlone && node.kind === 'file' && node.links < 2n) {
    return 'updatable';
  }
  if (!stat.isDirectory()) fs.unlinkSync(path);
  else if (removeOthers) removeFolder(path);
  // Else a folder goes only where it is empty: what is in it was never asked for.
  else fs.rmdirSync(path);
  return 'free';
}

/** `there`: a folder of that name was in the target already (`replace`, `skip`). */
export function makeDirectory(path: Buffer, existing: Existing): 'made' | 'there' {
  try {
    fs.mkdirSync(path, BUILDING_PERMISSIONS);
    return 'made';
  } catch (error) {
    if (systemCode(error) !== 'EEXIST' || existing === 'refuse') throw error;
    // lstat: a symlink to a folder leads out of the target and is no folder.
    if (fs.lstatSync(path).isDirectory()) return 'there';
    if (existing === 'skip') throw error;
    fs.unlinkSync(path);
    fs.mkdirSync(path, BUILDING_PERMISSIONS);
    return 'made';
  }
}

/** Symlinks, FIFOs and devices. Throws system errors (EPERM: devices need root). */
export function makeSpecial(path: Buffer, node: TreeNode): void {
  switch (node.kind) {
    case 'symlink':
      fs.symlinkSync(node.linkTarget ?? Buffer.alloc(0), path);
      return;
    case 'fifo':
      makeFifo(path, 0o600);
      return;
    case 'dev':
    case 'chardev':
      makeDevice(path, node.kind, 0o600, node.device ?? 0n);
      return;
    case 'file':
    case 'dir':
    case 'socket':
      throw new Error(`a ${node.kind} is made elsewhere`);
  }
}
