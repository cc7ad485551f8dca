/** Flags of chattr(1) are kept as an attribute that no kernel takes: ours come back, and restic doesn't mind. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { backupPaths } from '#capture';
import { restoreTree } from '#recovery';
import { createIn, openIn, restic } from './restic.ts';

let scratch: string;
let input: string;

beforeEach(() => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-flags-'));
  input = path.join(scratch, 'input');
  fs.mkdirSync(path.join(input, 'folder'), { recursive: true });
  for (const name of ['plain', 'fixed', 'growing', 'undumped', 'folder/inside']) {
    fs.writeFileSync(path.join(input, name), `content of ${name}`);
  }
  fs.linkSync(path.join(input, 'fixed'), path.join(input, 'linked'));
});
afterEach(() => {
  execFileSync('chattr', ['-R', '-f', '-i', '-a', scratch]);
  fs.rmSync(scratch, { recursive: true, force: true });
});

function canSetFlags(): boolean {
  const file = path.join(os.tmpdir(), `holdfast-flag-${process.pid}`);
  try {
    fs.writeFileSync(file, '');
    execFileSync('chattr', ['+i', file], { stdio: 'ignore' });
    execFileSync('chattr', ['-i', file], { stdio: 'ignore' });
    return true;
  } catch {
    // Not root, or a file system without flags.
    return false;
  } finally {
    fs.rmSync(file, { force: true });
  }
}

function flagsIn(folder: string): Record<string, string> {
  const listed = execFileSync('lsattr', ['-R', '-d', ...entriesIn(folder)], { encoding: 'utf8' });
  const lines = listed.split('\n').filter((line) => line.includes('/'));
  return Object.fromEntries(
    lines.map((line) => {
      const [flags = '', at = ''] = line.split(/ +/);
      return [path.relative(folder, at), flags.replaceAll(/[^adi]/g, '')];
    }),
  );
}

function entriesIn(folder: string): string[] {
  const names = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.map((name) => path.join(folder, name));
}

test.skipIf(!canSetFlags())(
  'come back, over what has them already too, and restic restores the rest',
  async () => {
    const set = { fixed: 'i', growing: 'a', undumped: 'd', folder: 'i' };
    for (const [name, flag] of Object.entries(set)) {
      execFileSync('chattr', [`+${flag}`, path.join(input, name)]);
    }
    const expected = flagsIn(input);
    expect(expected).toMatchObject({ ...set, linked: 'i', plain: '' });
    await (await createIn(scratch)).close();
    const repository = await openIn(scratch);
    try {
      const { snapshot } = await backupPaths(repository, [input]);
      const target = path.join(scratch, 'target');
      const request = { repository, tree: snapshot.tree, subpath: input.slice(1), target };
      for (const existing of ['refuse', 'update', 'replace'] as const) {
        const result = await restoreTree({ ...request, existing, inodeFlags: true });
        expect(result.problems).toEqual([]);
        expect(flagsIn(target)).toEqual(expected);
      }
      // Copies that will be changed and removed have none.
      const copy = path.join(scratch, 'copy');
      await restoreTree({ ...request, target: copy });
      expect(Object.values(flagsIn(copy)).join('')).toBe('');
    } finally {
      await repository.close();
    }
    expect(restic(scratch, ['check', '--read-data']).toString()).toContain('no errors were found');
    const restored = path.join(scratch, 'by-restic');
    restic(scratch, ['restore', 'latest', '--target', restored]);
    execFileSync('diff', ['-r', input, path.join(restored, input)]);
  },
);
