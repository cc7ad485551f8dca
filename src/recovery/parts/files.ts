/**
 * One file or folder of an instant back into production's folder. All of it is written beside first; then each file
 * takes its place by one rename, and what it replaces is kept. Nothing else of production is touched, and a killed one
 * is finished by the same request again.
 */
import type { BigIntStats, Dirent } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import {
  lockFile,
  type ProgressListener,
  readMetadata,
  shortId,
  syncFileSystem,
  systemCode,
} from '#base';
import { findPath, type Repository, type TreeEntry, type TreeNode, treeEntries } from '#repository';
import { errors } from '../errors.ts';
import { restoreTree } from '../restore/index.ts';
import { showName } from '../restore/paths.ts';
import type { RestoreProblem } from '../restore/request.ts';

export type FilesRequest = {
  repository: Repository;
  store: string;
  /** Hex id of the store's tree at that instant, and how a person names it. */
  tree: string;
  instant: string;
  /** A file or a folder, below the store's folder as it was; '' is all of it. */
  from: string;
  /** Production's folder of the store. */
  home: string;
  /** Another place: below `home`, or absolute. */
  as?: string;
  overwrite: boolean;
  progress: ProgressListener;
  signal: AbortSignal;
};

export type FilesPreview = {
  from: string;
  to: string;
  files: number;
  bytes: number;
  added: number;
  /** There, and of the same size and time: they stay. */
  same: number;
  /** There, and others. */
  replaced: number;
  /** The first of what would be added or replaced. */
  first: { path: string; change: 'added' | 'replaced'; sizeBytes: number }[];
};

export type FilesResult = FilesPreview & {
  /** Folder that holds what was replaced; undefined where nothing was. */
  kept?: string;
  problems: RestoreProblem[];
};

const SHOWN = 10;
const STAGE = /^\.holdfast-part-[0-9a-z]{1,20}$/;

/** What would change; changes nothing. Throws `recovery/not-in-store`, `-outside-store`, `-way-blocked`. */
export async function previewFiles(request: FilesRequest): Promise<FilesPreview> {
  const to = await placeOf(request);
  const preview: FilesPreview = {
    ...{ from: request.from, to, files: 0, bytes: 0, added: 0, same: 0, replaced: 0, first: [] },
  };
  for await (const { path: below, node } of entriesOf(request)) {
    const target = Buffer.concat([Buffer.from(to), below]);
    const there = await lookAt(target);
    if (there && there.isDirectory() !== (node.kind === 'dir')) throw blocked(target, there);
    if (node.kind === 'dir') continue;
    const sizeBytes = Number(node.sizeBytes ?? 0);
    preview.files += 1;
    preview.bytes += sizeBytes;
    const isSame = there !== undefined && (await isThere(target, there, node));
    if (isSame) preview.same += 1;
    else {
      const change = there ? 'replaced' : 'added';
      preview[change] += 1;
      const shown = showName(target.toString('latin1'));
      if (preview.first.length < SHOWN) preview.first.push({ path: shown, change, sizeBytes });
    }
  }
  return preview;
}

/** Files by size and time, links by where they lead; of what has no content one is like the other. */
async function isThere(target: Buffer, there: BigIntStats, node: TreeNode): Promise<boolean> {
  if (node.kind === 'file') {
    const size = BigInt(node.sizeBytes ?? 0);
    return there.isFile() && there.size === size && there.mtimeNs === node.mtimeNs;
  }
  if (node.kind !== 'symlink') return !there.isFile() && !there.isSymbolicLink();
  if (!there.isSymbolicLink()) return false;
  return (await fs.readlink(target, { encoding: 'buffer' })).equals(node.linkTarget ?? NOWHERE);
}

const NOWHERE = Buffer.alloc(0);

/** Paths begin with a slash below the place; that of a single file is empty. */
async function* entriesOf(request: FilesRequest): AsyncGenerator<TreeEntry> {
  const { repository, tree, from, store, instant, signal } = request;
  const found = await findPath(repository, tree, Buffer.from(from), signal);
  if (!found) throw errors.notInStore([store, from, instant]);
  if (found.kind === 'entry') yield { path: Buffer.alloc(0), node: found.node };
  else yield* treeEntries(repository, found.tree, { signal });
}

/** Nothing that is named may lead out of the store, by dots or by a link on the way; an absolute `as` may. */
async function placeOf({ home, from, as }: FilesRequest): Promise<string> {
  if (from.split('/').includes('..')) throw errors.outsideStore([from]);
  if (as !== undefined && path.isAbsolute(as)) return path.resolve(as);
  const below = path.normalize(as ?? from);
  if (below.split('/').includes('..')) throw errors.outsideStore([below]);
  const to = path.join(home, below).replace(/(?!^)\/+$/, '');
  const [real, within] = await Promise.all([fs.realpath(await standing(to)), fs.realpath(home)]);
  if (real !== within && !real.startsWith(`${within}/`)) throw errors.outsideStore([below]);
  return to;
}

/** The folder that is there of those above a path. */
async function standing(file: string): Promise<string> {
  const above = path.dirname(file);
  const there = await fs.stat(above).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  return there ? above : await standing(above);
}

async function lookAt(file: Buffer): Promise<BigIntStats | undefined> {
  try {
    return await fs.lstat(file, { bigint: true });
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    if (systemCode(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

function blocked(target: Buffer, there: BigIntStats): Error {
  const what = there.isDirectory() ? 'a folder' : there.isSymbolicLink() ? 'a link' : 'no folder';
  return errors.wayBlocked([showName(target.toString('latin1')), what]);
}

/** Throws what the preview throws, `recovery/file-in-the-way`, and what a restore throws. May be called again. */
export async function takeFiles(request: FilesRequest): Promise<FilesResult> {
  const preview = await previewFiles(request);
  const inTheWay = preview.first.find(({ change }) => change === 'replaced');
  if (preview.replaced > 0 && !request.overwrite) {
    throw errors.fileInTheWay([inTheWay?.path ?? preview.to, preview.replaced]);
  }
  const parent = await standing(preview.to);
  await sweepStages(parent);
  if (preview.added + preview.replaced === 0) return { ...preview, problems: [] };
  const stage = path.join(parent, shortId('.holdfast-part-', 6));
  await fs.mkdir(stage, { mode: 0o700 });
  const lock = await lockFile(path.join(stage, 'lock'));
  try {
    const { problems } = await restoreTree({
      repository: request.repository,
      tree: request.tree,
      subpath: request.from,
      target: path.join(stage, 'new'),
      expectedBytes: preview.bytes,
      progress: request.progress,
      signal: request.signal,
    });
    // What takes a place is on the disk before.
    await syncFileSystem(stage);
    await fs.mkdir(path.dirname(preview.to), { recursive: true });
    const isFolder =
      (await findPath(request.repository, request.tree, Buffer.from(request.from)))?.kind ===
      'directory';
    const made = isFolder ? 'new' : path.join('new', path.basename(request.from));
    await put(
      Buffer.from(path.join(stage, made)),
      Buffer.from(preview.to),
      Buffer.from(path.join(stage, 'old')),
    );
    await syncFileSystem(parent);
    return { ...preview, ...(await keptIn(stage)), problems };
  } finally {
    await clear(stage);
    await lock?.release();
  }
}

/** One entry and what is below takes its place; a folder that isn't there yet as a whole. */
async function put(made: Buffer, target: Buffer, kept: Buffer): Promise<void> {
  const there = await lookAt(target);
  if (!there) return await fs.rename(made, target);
  const fresh = await fs.lstat(made, { bigint: true });
  if (fresh.isDirectory() !== there.isDirectory()) throw blocked(target, there);
  if (fresh.isDirectory()) {
    const entries: Dirent<Buffer>[] = await fs.readdir(made, {
      withFileTypes: true,
      encoding: 'buffer',
    });
    const inside = (folder: Buffer, name: Buffer) =>
      Buffer.concat([folder, Buffer.from('/'), name]);
    for (const { name } of entries) {
      await put(inside(made, name), inside(target, name), inside(kept, name));
    }
    return;
  }
  const node = { ...(await readMetadata(made)), name: NOWHERE };
  if (await isThere(target, there, node)) return;
  await fs.mkdir(parentOf(kept), { recursive: true, mode: 0o700 });
  // A second name for it: at no instant is there none at the first.
  await fs.link(target, kept);
  await fs.rename(made, target);
}

const parentOf = (file: Buffer): Buffer => file.subarray(0, file.lastIndexOf('/'));

async function keptIn(stage: string): Promise<{ kept?: string }> {
  const kept = path.join(stage, 'old');
  return (await lookAt(Buffer.from(kept))) ? { kept } : {};
}

/** Everything but what was replaced, which stays where it is. */
async function clear(stage: string): Promise<void> {
  await fs.rm(path.join(stage, 'new'), { recursive: true, force: true });
  await fs.rm(path.join(stage, 'lock'), { force: true });
  if ((await keptIn(stage)).kept === undefined) await fs.rmdir(stage);
}

/** What killed ones left beside: those that are under way hold their lock, and those that are done have none. */
async function sweepStages(parent: string): Promise<void> {
  for (const name of (await fs.readdir(parent)).filter((one) => STAGE.test(one))) {
    const stage = path.join(parent, name);
    if (!(await lookAt(Buffer.from(path.join(stage, 'lock'))))) continue;
    const lock = await lockFile(path.join(stage, 'lock'));
    if (!lock) continue;
    await clear(stage);
    await lock.release();
  }
}
