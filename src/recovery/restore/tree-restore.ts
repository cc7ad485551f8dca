/** One restore of a tree under way: folders as they are met, what lies in them, and what can only be done at the end. */
import { type ApplyOptions, applyMetadata, type FileMetadata, messageOf } from '#base';
import type { TreeNode } from '#repository';
import { compileExclusion } from '#sources/files';
import { clearTheWay, makeDirectory, makeSpecial } from './entries.ts';
import { ownedByName } from './owners.ts';
import { Pace } from './pace.ts';
import { joinRelative } from './paths.ts';
import { type IsMeant, removeOthers } from './remove-others.ts';
import { RestoreReport } from './report.ts';
import type { RestoreRequest, RestoreResult } from './request.ts';
import type { ContentsOptions, RestoredContents } from './restored-contents.ts';
import { SharedNames } from './shared-names.ts';
import { isGrave } from './target.ts';
import { type TargetFolder, withoutDescriptors } from './target-folder.ts';
import { type ReadTree, readUnknownTrees, takeBatch, takenNodes } from './tree-reader.ts';

/** Where contents don't simply go to disk. */
export type MakeContents = (options: ContentsOptions) => RestoredContents;

type Directory = {
  relative: string;
  tree: string;
  parent: Directory | undefined;
  metadata: FileMetadata | undefined;
  /** Taken by a pattern, itself or by a folder above; otherwise it is made only where something in it is. */
  included: boolean;
  state: 'waiting' | 'made' | 'there' | 'failed';
};

/** Close it whatever happened. */
export class TreeRestore {
  readonly #request: RestoreRequest;
  readonly #existing: NonNullable<RestoreRequest['existing']>;
  readonly #owner: ApplyOptions['owner'];
  readonly #target: TargetFolder;
  readonly #report = new RestoreReport(process.geteuid?.() === 0);
  readonly #contents: RestoredContents;
  readonly #include: ReturnType<typeof compileExclusion>;
  readonly #exclude: ReturnType<typeof compileExclusion>;
  readonly #pending: Directory[] = [];
  /** Made ones, each after the one that it lies in. */
  readonly #made: Directory[] = [];
  readonly #names: SharedNames;
  readonly #pace: Pace;

  constructor(
    request: RestoreRequest,
    target: TargetFolder,
    owner: ApplyOptions['owner'],
    makeContents: MakeContents,
  ) {
    this.#request = request;
    this.#target = target;
    this.#names = new SharedNames(target);
    this.#pace = new Pace(request, this.#report);
    this.#existing = request.existing ?? 'refuse';
    this.#owner = owner;
    this.#include = compileExclusion(request.include ?? []);
    this.#exclude = compileExclusion(request.exclude ?? []);
    this.#contents = makeContents({
      repository: request.repository,
      ...(request.signal ? { signal: request.signal } : {}),
      ...(request.inodeFlags ? { inodeFlags: true } : {}),
      report: this.#report,
      target,
      owner,
      applyMetadata: (path, node) => applyMetadata(path, node, { owner }),
      entryFailed: (relative, error) => this.#entryFailed(relative, error),
      giveWay: () => this.#pace.giveWay(),
    });
  }

  async directory(tree: string, metadata: FileMetadata | undefined): Promise<void> {
    const root = this.#rootAt(tree, metadata);
    this.#pending.push(root);
    if (this.#existing !== 'skip') this.#made.push(root);
    while (this.#pending.length > 0) await this.#restoreBatch();
    await this.#complete();
  }

  async single(node: TreeNode): Promise<void> {
    await this.#restoreNode({ ...this.#rootAt('', undefined), included: true }, node);
    await this.#complete();
  }

  result(): RestoreResult {
    this.#pace.tell(true);
    return this.#report.result();
  }

  close(): Promise<void> {
    return this.#contents.close();
  }

  #rootAt(tree: string, metadata: FileMetadata | undefined): Directory {
    const included = this.#include === undefined;
    return { relative: '', tree, parent: undefined, metadata, included, state: 'there' };
  }

  async #restoreBatch(): Promise<void> {
    const { repository, signal, knownTrees, removeOthers } = this.#request;
    const batch = takeBatch(this.#pending, repository);
    const ids = batch.map(({ tree }) => tree);
    // What is removed is told by the bytes of a tree.
    const known = removeOthers ? undefined : knownTrees;
    const trees = await readUnknownTrees(repository, ids, known, signal);
    for (const directory of batch) {
      const tree = trees.get(directory.tree);
      if (removeOthers) this.#removeOthers(directory, tree);
      for (const node of this.#nodesOf(directory, tree)) {
        const others = this.#pace.giveWay();
        if (others) await others;
        const room = this.#restoreNode(directory, node);
        if (room) await room;
      }
    }
  }

  /** As many as can be read: a damaged tree ends early and is named. Without its root, a restore has nothing to do. */
  *#nodesOf(directory: Directory, tree: ReadTree | undefined): Generator<TreeNode> {
    try {
      if (tree === undefined || tree instanceof Error) throw tree;
      if (!(tree instanceof Buffer)) yield* tree as readonly TreeNode[];
      else yield* takenNodes(tree, this.#request.knownTrees?.taking(directory.tree));
    } catch (error) {
      if (!directory.parent) throw error;
      const what = `this folder can't be read in the repository, what is missing in it is lost: ${messageOf(error)}`;
      this.#report.problem(directory.relative, what);
    }
  }

  #removeOthers(directory: Directory, tree: ReadTree | undefined): void {
    if (directory.state !== 'there' || !(tree instanceof Buffer)) return;
    const isMeant: IsMeant = (relative, isDirectory) =>
      !this.#exclude?.(relative, isDirectory) &&
      (directory.included || this.#include?.(relative, isDirectory) === true);
    try {
      const { relative } = directory;
      const path = this.#target.folder(relative);
      const { removed, problems } = removeOthers({ path, relative }, tree, isMeant);
      this.#report.removed += removed;
      for (const { relative, what } of problems) this.#report.problem(relative, what);
    } catch (error) {
      this.#entryFailed(directory.relative, error);
    }
  }

  /** Returns nothing where the next one may follow at once. */
  #restoreNode(directory: Directory, recorded: TreeNode): Promise<void> | undefined {
    const node = this.#request.ownerBy === 'name' ? ownedByName(recorded) : recorded;
    const relative = joinRelative(directory.relative, node.name);
    const isDirectory = node.kind === 'dir';
    if (this.#exclude?.(relative, isDirectory)) return undefined;
    const included = directory.included || this.#include?.(relative, isDirectory) === true;
    if (isDirectory) this.#enter(directory, node, { relative, included });
    else if (included && this.#ensureMade(directory)) return this.#restoreEntry(relative, node);
    return undefined;
  }

  #enter(parent: Directory, node: TreeNode, at: Pick<Directory, 'relative' | 'included'>): void {
    const { subtree } = node;
    if (subtree === undefined) {
      this.#report.problem(at.relative, 'this folder has no content in the repository');
      return;
    }
    const { name: _name, content: _content, ...metadata } = node;
    const child: Directory = { ...at, tree: subtree, parent, metadata, state: 'waiting' };
    if (!child.included || this.#ensureMade(child)) this.#pending.push(child);
  }

  /** False where the folder, or one above it, couldn't be made: that is told once, at the one that failed. */
  #ensureMade(directory: Directory): boolean {
    if (directory.state === 'waiting') {
      directory.state = 'failed';
      if (!directory.parent || !this.#ensureMade(directory.parent)) return false;
      try {
        const path = this.#target.entry(directory.relative);
        directory.state = makeDirectory(path, this.#existing);
        if (directory.state === 'there') this.#allowChanges(directory.relative);
        this.#report.entries += 1;
        if (directory.state === 'made' || this.#existing !== 'skip') this.#made.push(directory);
      } catch (error) {
        this.#entryFailed(directory.relative, error);
      }
    }
    return directory.state !== 'failed';
  }

  #restoreEntry(relative: string, node: TreeNode): Promise<void> | undefined {
    if (node.kind === 'socket') {
      this.#report.sockets += 1;
      return undefined;
    }
    let isUpdate = false;
    try {
      this.#allowChanges(relative);
      const way = this.#clearTheWay(relative, node);
      isUpdate = way === 'updatable';
      if (way === 'kept') {
        this.#report.skipped += 1;
        return undefined;
      }
      this.#report.entries += 1;
      if (this.#names.isFurther(relative, node)) return undefined;
      if (node.kind !== 'file') {
        makeSpecial(this.#target.entry(relative), node);
        this.#report.metadataFailures(relative, this.#applyMetadata(relative, node));
        return undefined;
      }
    } catch (error) {
      this.#entryFailed(relative, error);
      return undefined;
    }
    return this.#contents.add(relative, this.#names.withoutFlags(relative, node), isUpdate);
  }

  #clearTheWay(relative: string, node: TreeNode): ReturnType<typeof clearTheWay> {
    // Into an empty target, which nearly every file goes to, none is looked for.
    if (this.#existing === 'refuse') return 'free';
    return clearTheWay(this.#target.entry(relative), node, this.#request);
  }

  /** Of what is there already and is to be changed or replaced. */
  #allowChanges(relative: string): void {
    if (!this.#request.inodeFlags || !['replace', 'update'].includes(this.#existing)) return;
    this.#target.allowChanges(relative);
  }

  /** What can only be done when everything else is there: links to complete files, and times of folders. */
  async #complete(): Promise<void> {
    await this.#contents.flush();
    for (const { relative, run } of this.#names.steps(this.#request.inodeFlags === true)) {
      await this.#pace.giveWay();
      try {
        run();
      } catch (error) {
        this.#entryFailed(relative, error);
      }
    }
    for (const { relative, metadata } of this.#made.reverse()) {
      await this.#pace.giveWay();
      if (!metadata) continue;
      try {
        this.#report.metadataFailures(relative, this.#applyMetadata(relative, metadata));
      } catch (error) {
        this.#entryFailed(relative, error);
      }
    }
  }

  #applyMetadata(relative: string, metadata: FileMetadata) {
    const { inodeFlags = false } = this.#request;
    return this.#target.applyMetadata(relative, metadata, { owner: this.#owner, inodeFlags });
  }

  #entryFailed(relative: string, error: unknown): void {
    if (isGrave(error)) throw error;
    this.#report.problem(
      relative,
      `could not be restored: ${withoutDescriptors(messageOf(error))}`,
    );
  }
}
