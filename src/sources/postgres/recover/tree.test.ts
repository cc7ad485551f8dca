import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OsUser } from './os-user.ts';
import { ownTree } from './tree.ts';

const isRoot = process.getuid?.() === 0;
const own = () => ({ uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });

describe('a tree whose entries are looked at elsewhere', () => {
  let scratch: string;
  let directory: string;
  let below: string;

  beforeEach(() => {
    scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-tree-'));
    [directory, below] = ['directory', 'below'].map((name) => {
      const root = path.join(scratch, name);
      fs.mkdirSync(path.join(root, 'base/5'), { recursive: true });
      fs.writeFileSync(path.join(root, 'base/5/1259'), '');
      return root;
    }) as [string, string];
  });
  afterEach(() => fs.rmSync(scratch, { recursive: true, force: true }));

  const user = (ids: { uid: number; gid: number }): OsUser => ({
    name: 'somebody',
    isCurrent: false,
    ...ids,
  });

  it.runIf(isRoot)('is given to its user where it is, and nothing changes there', async () => {
    await ownTree(directory, user({ uid: 4711, gid: 4712 }), below);
    const ownersIn = (root: string) =>
      ['.', 'base', 'base/5', 'base/5/1259'].map((name) => {
        const { uid, gid } = fs.lstatSync(path.join(root, name));
        return `${uid}:${gid}`;
      });
    expect(new Set(ownersIn(directory))).toEqual(new Set(['4711:4712']));
    expect(new Set(ownersIn(below))).toEqual(new Set(['0:0']));
  });

  it.each([
    ['within', () => path.join(directory, 'base')],
    ['within, from where it lies', () => '../base'],
    ['where it is looked at', () => path.join(below, 'base')],
    ['out, from where it lies', () => '../../below'],
  ])('has each link judged by where it shows: one that leads %s', async (where, target) => {
    fs.symlinkSync(target(), path.join(below, 'base/link'));
    const owning = ownTree(directory, user(own()), below);
    if (where.startsWith('within')) await owning;
    else await expect(owning).rejects.toThrow('base/link');
  });
});
