/** Who isn't root mounts by fusermount3, where the host has it: the same recoveries, in the user's own folders. */
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ended, expectCode, running } from './command-line.ts';

const NOBODY = 65_534;
const checkout = path.resolve(import.meta.dirname, '../..');
let folder: string;

/**
 * Lines of sh as nobody, in a mount namespace of their own: the checkout may lie where nobody may enter, and the device
 * may be root's alone. `hf` is Holdfast.
 */
function asNobody(lines: string): Promise<Ended> {
  const outside = [
    'mount --bind "$1" "$2/checkout" && mount --bind "$2/fuse" /dev/fuse',
    `exec setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups sh -c "$3" "$2"`,
  ].join('\n');
  const inside = `set -e\nhf() { "$0/checkout/bin/holdfast" "$@"; }\ncd "$0"\n${lines}`;
  const env = {
    ...process.env,
    HOME: '/nonexistent',
    HOLDFAST_STATE: path.join(folder, 'state'),
    XDG_CACHE_HOME: path.join(folder, 'cache'),
    XDG_RUNTIME_DIR: path.join(folder, 'run'),
    HOLDFAST_PASSWORD: 'correct horse',
  };
  return running(
    spawn('unshare', ['-m', 'sh', '-c', outside, 'sh', checkout, folder, inside], { env }),
  ).ended;
}

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-nobody-'));
  await fs.mkdir(path.join(folder, 'notes'));
  await fs.mkdir(path.join(folder, 'run'), { mode: 0o700 });
  await fs.writeFile(path.join(folder, 'notes/one'), 'one');
  await fs.writeFile(
    path.join(folder, 'holdfast.yaml'),
    `apiVersion: holdfast/v1
name: notes
repository: {url: "${folder}/repository", password: "\${HOLDFAST_PASSWORD}"}
stores:
  notes: {type: files, path: "${folder}/notes", protect: {every: 1h}}
`,
  );
  for (const name of ['', 'run', 'notes', 'notes/one', 'holdfast.yaml']) {
    await fs.chown(path.join(folder, name), NOBODY, NOBODY);
  }
  await fs.mkdir(path.join(folder, 'checkout'));
  spawnSync('mknod', ['-m', '666', path.join(folder, 'fuse'), 'c', '10', '229']);
});
afterAll(async () => {
  // What served the mounts is still about to end, and has a cache there.
  await fs.rm(folder, { recursive: true, force: true, maxRetries: 50 });
});

test.runIf(process.getuid?.() === 0)(
  'an ordinary user mounts what is recovered, writes to it, and takes it away',
  { timeout: 240_000 },
  async () => {
    const ended = await asNobody(`
trap 'hf down >/dev/null' EXIT
hf up -d --wait >/dev/null
hf protect >/dev/null
hf recover --to latest
data=$(ls -d state/recoveries/*/notes/data)
grep -c "$PWD/$data fuse.holdfast" /proc/self/mounts
cat "$data/one"; echo; echo two >"$data/two"; cat "$data/two"
hf recovery remove "$(basename state/recoveries/*)" --yes
grep -c "$PWD/state" /proc/self/mounts || true
ls state/recoveries
`);
    expect(ended.stderr).toBe('');
    expect(ended.stdout).toMatch(/data +\S+ +mounted; /);
    expect(ended.stdout).toMatch(/\n1\none\ntwo\nRemoved r\w+\n0\n$/);
    expectCode(ended, 0);
  },
);
