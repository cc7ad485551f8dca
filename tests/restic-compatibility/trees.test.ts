/** Trees are the same bytes, whoever wrote them; so both share a repository and what is in it. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readMetadata } from '#base';
import { encodeTree, type Repository, type TreeNode } from '#repository';
import { isRoot, makeEverythingTree } from '../everything-tree.ts';
import { createIn, openIn, restic } from './restic.ts';
import { saveFolder, treesBelow } from './save-folder.ts';

let scratch: string;
let original: string;
const opened: Repository[] = [];
const zone = process.env.TZ;

/** With summer time, with half an hour, behind Greenwich. */
const ZONES = ['Europe/Berlin', 'Asia/Kolkata', 'America/St_Johns', 'UTC'];

async function reopened(): Promise<Repository> {
  const repository = await openIn(scratch);
  opened.push(repository);
  return repository;
}

function backUp(folder: string, timeZone: string): Record<string, number> {
  const output = restic(scratch, ['backup', '--json', '--force', folder], { TZ: timeZone });
  return JSON.parse(output.toString().trim().split('\n').at(-1) as string);
}

async function snapshotTree(repository: Repository): Promise<string> {
  return (await repository.snapshots.find('latest')).tree;
}

/** Where two long texts differ, shortened so that it can be read. */
function differenceOf(one: string, other: string): [string, string] | undefined {
  if (one === other) return undefined;
  let at = 0;
  while (one[at] === other[at]) at += 1;
  return [one.slice(at - 40, at + 80), other.slice(at - 40, at + 80)];
}

beforeAll(async () => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-trees-'));
  original = path.join(scratch, 'original');
  fs.mkdirSync(original);
  makeEverythingTree(original);
  await (await createIn(scratch)).close();
});

afterEach(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

afterAll(async () => {
  for (const repository of opened) await repository.close();
  fs.rmSync(scratch, { recursive: true, force: true });
});

describe('trees of restic', () => {
  it.each(ZONES)('are written again to the same byte in %s', async (timeZone) => {
    backUp(original, timeZone);
    process.env.TZ = timeZone;
    const repository = await reopened();
    let entries = 0;
    for await (const { bytes, nodes } of treesBelow(repository, await snapshotTree(repository))) {
      // A target that isn't UTF-8 was lost when restic wrote it: what is left of it reads as U+FFFD itself.
      const written = bytes.toString().replace('"raw-\\ufffd"', '"raw-\ufffd"');
      const differs = differenceOf(Buffer.concat(encodeTree(nodes)).toString(), written);
      expect(differs).toBeUndefined();
      entries += nodes.length;
    }
    expect(entries).toBeGreaterThan(20);
  });

  it('tell of each entry what the file system does', async () => {
    const repository = await reopened();
    const found = new Map<string, TreeNode>();
    for await (const { nodes } of treesBelow(repository, await snapshotTree(repository))) {
      for (const node of nodes) found.set(node.name.toString('latin1'), node);
    }
    const names = ['empty', 'text', 'fifo', 'sparse', 'not-utf8-\xff\xfe\x80', 'folder-\xe4'];
    if (isRoot) names.push('null', 'block', 'large-ids', 'capable');
    for (const name of names) {
      const { links, atimeNs, ...rest } = readMetadata(
        Buffer.from(`${original}/${name}`, 'latin1'),
      );
      const hasLinks = rest.kind !== 'dir' && rest.kind !== 'fifo';
      expect(found.get(name)).toMatchObject({ ...rest, links: hasLinks ? links : 0n });
    }
    expect(found.get('empty')?.mtimeNs).toBe(-315_619_200_000_000_000n + 7n);
    expect(found.get('fifo')?.mtimeNs).toBe(7_258_118_400_123_456_789n);
    expect(found.get('same-text')?.inode).toBe(found.get('text')?.inode);
  });
});

describe('a repository that both write into', () => {
  it('holds files of one chunk and their trees once', async () => {
    const folder = path.join(scratch, 'small');
    fs.mkdirSync(path.join(folder, 'within'), { recursive: true });
    for (let number = 0; number < 40; number += 1) {
      fs.writeFileSync(path.join(folder, 'within', `file-${number}`), `${number} `.repeat(9_000));
    }
    process.env.TZ = 'UTC';
    const ours = await saveFolder(await reopened(), folder);
    expect(ours.stats).toMatchObject({ dataBlobs: 40, treeBlobs: 2 });
    const theirs = backUp(folder, 'UTC');
    expect(theirs).toMatchObject({ files_new: 40, data_blobs: 0 });

    // What restic brought in, in turn, isn't saved again.
    fs.writeFileSync(path.join(folder, 'within', 'more'), 'more '.repeat(50_000));
    backUp(folder, 'UTC');
    const again = await saveFolder(await reopened(), folder);
    expect(again.stats).toMatchObject({ dataBlobs: 0, treeBlobs: 0, packs: 0 });
    expect(restic(scratch, ['check', '--read-data']).toString()).toContain('no errors were found');
  });
});
