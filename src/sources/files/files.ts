/** The source of folders: everything that a POSIX file system holds, captured and restored exactly. See README.md. */
import fs from 'node:fs';
import { findUser } from '#base';
import { errors } from '../errors.ts';
import type { RecoveredStore, RecoverRequest, Source, SourceContext } from '../source.ts';
import { captureFiles } from './capture.ts';
import { type FilesSettings, filesSchema } from './config.ts';
import { inspectFiles } from './inspect.ts';
import { walkTree } from './walk.ts';
import { watchFiles } from './watch.ts';

export const filesSource: Source<FilesSettings> = {
  type: 'files',
  schema: filesSchema,
  inspect: inspectFiles,
  capture: captureFiles,
  watch: watchFiles,
  recover: recoverFiles,
  home: (store) => store.own.path,
};

/** A restored folder needs nothing to live; it is only given to an owner where one is asked for. */
async function recoverFiles(
  request: RecoverRequest,
  context: SourceContext,
): Promise<RecoveredStore> {
  const { owner, directory } = request;
  if (owner !== undefined) await giveTo(owner, Buffer.from(directory), context.signal);
  return { url: directory, facts: {} };
}

async function giveTo(owner: string, root: Buffer, signal: AbortSignal): Promise<void> {
  const user = findUser(owner);
  if (!user) throw errors.ownerUnknown([owner]);
  for await (const event of walkTree(root, { signal })) {
    if (event.kind === 'problem') {
      throw errors.folderNotRestored([event.path.toString(), event.what]);
    }
    if (event.kind !== 'entry') continue;
    const { uid, gid } = event.metadata;
    if (uid === user.uid && gid === user.gid) continue;
    const path = event.path.length === 0 ? root : Buffer.concat([root, SLASH, event.path]);
    fs.lchownSync(path, user.uid, user.gid);
  }
}

const SLASH = Buffer.from('/');
