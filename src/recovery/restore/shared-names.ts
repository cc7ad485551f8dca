/** Names that one file has several of: it is restored under the first, and the others are made when it is complete. */
import fs from 'node:fs';
import { type ExtendedAttribute, isFlagsAttribute } from '#base';
import type { TreeNode } from '#repository';
import type { TargetFolder } from './target-folder.ts';

export class SharedNames {
  readonly #target: TargetFolder;
  /** By device and inode. */
  readonly #first = new Map<string, string>();
  readonly #further: { first: string; relative: string }[] = [];
  readonly #flags: { relative: string; attribute: ExtendedAttribute }[] = [];

  constructor(target: TargetFolder) {
    this.#target = target;
  }

  /** Notes the name; true where the file itself is restored under another one. */
  isFurther(relative: string, node: TreeNode): boolean {
    if (node.links < 2n || node.inode === 0n) return false;
    const key = `${node.deviceId}:${node.inode}`;
    const first = this.#first.get(key);
    if (first !== undefined) this.#further.push({ first, relative });
    else this.#first.set(key, relative);
    return first !== undefined;
  }

  /** The node without flags where it is to have further names, which what is immutable can't be given: they come last. */
  withoutFlags(relative: string, node: TreeNode): TreeNode {
    const attribute = node.links < 2n ? undefined : node.xattrs.find(isFlagsAttribute);
    if (!attribute) return node;
    this.#flags.push({ relative, attribute });
    return { ...node, xattrs: node.xattrs.filter((one) => one !== attribute) };
  }

  /** What is left to be done when the files are complete, in this order; each throws system errors. */
  *steps(inodeFlags: boolean): Generator<{ relative: string; run: () => void }> {
    const target = this.#target;
    for (const { first, relative } of this.#further) {
      const run = () => fs.linkSync(target.entry(first), target.entry(relative));
      yield { relative, run };
    }
    if (!inodeFlags) return;
    for (const { relative, attribute } of this.#flags) {
      yield { relative, run: () => target.setFlags(relative, attribute) };
    }
  }
}
