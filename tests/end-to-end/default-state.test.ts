/** Root without any setting: state lies where systems keep it. In a mount namespace of its own, so that this host keeps its own. */
import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { running } from './command-line.ts';
import { eventually, processesIn } from './site/command.ts';

const program = path.resolve(import.meta.dirname, '../../bin/holdfast');

/** `sh -ec` this with: the program. Says after each step what was looked for. */
const SCRIPT = `
mount -t tmpfs -o mode=755 tmpfs /var/lib
"$0" up --detach --wait >/dev/null
echo "state: $(stat -c '%U %a' /var/lib/holdfast)"
"$0" recover --to latest >/dev/null
cd /var/lib/holdfast/recoveries
echo "recovered: $(cat r*/notes/data/one)"
cd "$OLDPWD"
"$0" down --purge --recoveries --yes >/dev/null
echo "left: $(ls /var/lib/holdfast) $(grep -c ' /var/lib/holdfast' /proc/self/mounts)"
`;

test.runIf(process.getuid?.() === 0)(
  'root protects, recovers and clears away without naming a state folder',
  { timeout: 240_000 },
  async () => {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-default-'));
    try {
      await fs.mkdir(path.join(folder, 'notes'));
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
      const env = {
        ...process.env,
        HOLDFAST_STATE: undefined,
        HOLDFAST_PASSWORD: 'correct horse',
        PROTECTED_FOLDER: folder,
      };
      const words = ['-m', 'sh', '-ec', SCRIPT, program];
      const { code, stdout, stderr } = await running(spawn('unshare', words, { cwd: folder, env }))
        .ended;
      expect(stderr).toBe('');
      expect(code).toBe(0);
      const [state, recovered, left] = stdout.trimEnd().split('\n');
      expect(state).toMatch(/^state: root 7[015][015]$/);
      expect(recovered).toBe('recovered: one');
      expect(left).toBe('left:  0');
      await eventually('no process to be left', async () =>
        (await processesIn(folder)).length === 0 ? true : undefined,
      );
    } finally {
      await fs.rm(folder, { recursive: true, force: true });
    }
  },
);
