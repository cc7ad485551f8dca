/** Brings a tree of a repository back to disk, exactly. */
import { type ApplyOptions, findUser } from '#base';
import { errors } from '../errors.ts';
import { FileContents } from './contents.ts';
import type { RestoreRequest, RestoreResult } from './request.ts';
import { rootAsEntry } from './root-metadata.ts';
import { graveError, prepareTarget } from './target.ts';
import { TargetFolder } from './target-folder.ts';
import { findInTree } from './tree-reader.ts';
import { type MakeContents, TreeRestore } from './tree-restore.ts';

/**
 * Restores what `tree` (or `subpath` below it) holds into the target: contents with holes, hard links, symlinks, FIFOs,
 * devices, attributes, owners by id, permissions, times to the nanosecond. Nothing outside of the target is written.
 * What is damaged or refused by the system is named in `problems` and the rest is restored.
 * Rejects with an error of the `recovery` catalogue where all of it must stop (target not empty, full, not writable;
 * the tree itself unreadable), or with the signal's reason; what was restored so far then stays in the target.
 */
export async function restoreTree(
  request: RestoreRequest,
  makeContents: MakeContents = (options) => new FileContents(options),
): Promise<RestoreResult> {
  const { repository, signal, target } = request;
  const owner = ownerOf(request.owner);
  const subpath = Buffer.from(request.subpath ?? '');
  const found = await findInTree(repository, request.tree, subpath, signal);
  const root = await prepareTarget(target, request.existing ?? 'refuse');
  const folder = new TargetFolder(root);
  const restore = new TreeRestore(request, folder, owner, makeContents);
  try {
    const ofRoot = request.root && subpath.length === 0 ? rootAsEntry(request.root) : undefined;
    if (found.kind === 'dir') await restore.directory(found.tree, found.metadata ?? ofRoot);
    else await restore.single(found.node);
    return restore.result();
  } catch (error) {
    throw (await graveError(error, target)) ?? error;
  } finally {
    await restore.close();
    folder.close();
  }
}

function ownerOf(name: string | undefined): ApplyOptions['owner'] {
  if (name === undefined) return 'recorded';
  const user = findUser(name);
  if (!user) throw errors.ownerUnknown([name]);
  const self = process.geteuid?.();
  if (self !== 0 && self !== user.uid) throw errors.ownerRefused([name]);
  return { uid: user.uid, gid: user.gid };
}
