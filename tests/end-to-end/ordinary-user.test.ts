/** Nothing of a control plane needs root where its sources don't: here nobody protects a folder of their own. */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type Ended, expectCode, startHoldfast } from './command-line.ts';

const NOBODY = 65_534;
let folder: string;
let holdfast: (...words: string[]) => Promise<Ended>;

afterEach(async () => {
  await holdfast('down');
  await fs.rm(folder, { recursive: true, force: true });
});

test.runIf(process.getuid?.() === 0)(
  'an ordinary user protects a folder, with all state in their own',
  { timeout: 240_000 },
  async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast ordinary-'));
    await fs.mkdir(path.join(folder, 'notes'));
    await fs.writeFile(path.join(folder, 'notes/one'), 'one');
    const file = path.join(folder, 'holdfast.yaml');
    await fs.writeFile(
      file,
      `apiVersion: holdfast/v1
name: notes
repository: {url: "${folder}/repository", password: "\${HOLDFAST_PASSWORD}"}
stores:
  notes: {type: files, path: "${folder}/notes", protect: {every: 1h}}
`,
    );
    for (const name of ['', 'notes', 'notes/one', 'holdfast.yaml']) {
      await fs.chown(path.join(folder, name), NOBODY, NOBODY);
    }
    const env = {
      HOLDFAST_STATE: undefined,
      XDG_STATE_HOME: path.join(folder, 'home'),
      XDG_CACHE_HOME: path.join(folder, 'cache'),
      HOLDFAST_PASSWORD: 'correct horse',
    };
    const checkout = path.join(folder, 'checkout');
    await fs.mkdir(checkout);
    const asUser = { uid: NOBODY, checkout };
    holdfast = (...words) => startHoldfast(words, { asUser, env }).ended;
    const up = await holdfast('up', '-d', '--wait', '--file', file);
    expect(up).toMatchObject({ code: 0, stderr: '' });
    const state = await fs.stat(path.join(folder, 'home/holdfast/server.json'));
    expect(state.uid).toBe(NOBODY);
    expect(await holdfast('protect')).toMatchObject({ code: 0, stderr: '' });
    const words = ['recover', '--to', 'latest', '--file', file];
    const recovered = await holdfast(...words);
    expect(recovered).toMatchObject({ code: 0, stderr: '' });
    expect(recovered.stdout).toMatch(/^! Nothing could be mounted \(.*\): all data was written/m);
    expect((await holdfast(...words, '--full')).stdout).not.toContain('Nothing could be mounted');
    const removed = await holdfast('down', '--purge', '--recoveries', '--yes');
    expectCode(removed, 0);
    expect(await fs.readdir(path.join(folder, 'home/holdfast'))).toEqual([]);
  },
);
