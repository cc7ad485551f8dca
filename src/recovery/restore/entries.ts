/** Makes single entries in the target. Nothing is followed, and nothing is replaced unless that was asked for. */
import fs from 'node:fs';
import { makeDevice, makeFifo, systemCode } from '#base';
import type { TreeNode } from '#repository';
import type { RestoreRequest } from './request.ts';

type Existing = NonNullable<RestoreRequest['existing']>;

/** Folders are made for the owner alone: nobody else may reach in until the last step gives them their rights. */
const BUILDING_PERMISSIONS = 0o700;

/**
 * `made`: it is new. `kept`: something of that name stays, as `skip` says.
 * Throws system errors; EEXIST where something is in the way that mustn't be replaced.
 */
export function clearTheWay(path: Buffer, existing: Existing): 'free' | 'kept' {
  if (existing === 'refuse') return 'free';
  const stat = fs.lstatSync(path, { throwIfNoEntry: false });
  if (!stat) return 'free';
  if (existing === 'skip') return 'kept';
  // A folder goes only where it is empty: what is in it was never asked for.
  if (stat.isDirectory()) fs.rmdirSync(path);
  else fs.unlinkSync(path);
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
