import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { CaptureEvent } from '../source.ts';
import { compileExclusion } from './exclusion.ts';
import { walkElsewhere } from './walk-elsewhere.ts';
import { walkFolders } from './walk-folders.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast test-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
const root = Buffer.from(folder);

/** All that an event says, in a form that can be compared. */
function told(event: CaptureEvent): unknown {
  if (event.kind === 'entry') return { ...event, metadata: { ...event.metadata, atimeNs: 0n } };
  if (event.kind !== 'folder') return event;
  const { entries } = event;
  return {
    ...event,
    entries: entries.names.map((_name, entry) => ({
      name: entries.names[entry],
      ...entries.metadata(entry),
      // The walk before this one has read the folders.
      atimeNs: undefined,
    })),
  };
}

async function all(events: AsyncIterable<CaptureEvent>): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const event of events) found.push(told(event));
  return found;
}

test('a thread tells the same as a walk here, also of names that are no text, in more batches than are sent ahead', async () => {
  for (let number = 0; number < 18; number += 1) {
    const below = path.join(folder, `folder ${number}`, 'deep');
    fs.mkdirSync(below, { recursive: true });
    for (let file = 0; file < 1_030; file += 1) fs.writeFileSync(path.join(below, `${file}`), '');
  }
  fs.writeFileSync(Buffer.concat([root, Buffer.from([0x2f, 0xff, 0xfe])]), 'x');
  fs.symlinkSync('nowhere', path.join(folder, 'link'));
  fs.mkdirSync(path.join(folder, 'left out'));
  const exclude = ['left*', '7'];
  const { signal } = new AbortController();
  const here = await all(walkFolders(root, { signal, exclusion: compileExclusion(exclude) }));
  const elsewhere = await all(walkElsewhere(root, { signal, exclude }));
  expect(here.length).toBeGreaterThan(50);
  expect(elsewhere).toEqual(here);
});

test('it ends when nobody takes any more, when it is interrupted, and where the root is a file or nothing', async () => {
  const { signal } = new AbortController();
  for await (const event of walkElsewhere(root, { signal })) if (event.kind === 'folder') break;
  const stop = new AbortController();
  const walk = walkElsewhere(root, { signal: stop.signal });
  await walk.next();
  stop.abort(new Error('enough'));
  await expect(walk.next()).rejects.toThrow('enough');
  const file = Buffer.concat([root, Buffer.from('/link')]);
  expect(await all(walkElsewhere(file, { signal }))).toHaveLength(1);
  const nowhere = Buffer.concat([root, Buffer.from('/nowhere')]);
  await expect(all(walkElsewhere(nowhere, { signal }))).rejects.toThrow('ENOENT');
});
