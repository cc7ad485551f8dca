import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findUser, isHoldfastError, makeFifo, quietLogger, setTimes, silent } from '#base';
import { describeSourceConformance } from '../conformance.ts';
import type { CaptureEvent, SourceContext, StoreSettings } from '../source.ts';
import { type FilesSettings, filesSchema } from './config.ts';
import { filesSource } from './files.ts';
import { walkTree } from './walk.ts';

const isRoot = process.geteuid?.() === 0;

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-files-'));
  fs.mkdirSync(`${folder}/root`);
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

function storeAt(own: Record<string, unknown>): StoreSettings<FilesSettings> {
  return {
    name: 'media',
    environment: 'shop',
    stage: 'test',
    rpoMs: 60_000,
    protect: { kind: 'every', everyMs: 300_000 },
    own: filesSchema.parse(own),
  };
}

function contextIn(stateFolder: string): SourceContext {
  const { signal } = new AbortController();
  return { log: quietLogger, progress: silent, signal, stateFolder };
}

type Captured = { events: CaptureEvent[]; problems: string[]; facts: Record<string, unknown> };

async function captureAll(
  own: Record<string, unknown>,
  options: { hasPrevious: boolean; changedDirectories?: Set<string> } = { hasPrevious: false },
): Promise<Captured> {
  const store = storeAt({ path: `${folder}/root`, ...own });
  const capture = await filesSource.capture(store, options, contextIn(folder));
  const events: CaptureEvent[] = [];
  for await (const event of capture.events()) events.push(event);
  const { facts, problems = [] } = await capture.outcome();
  await capture.close();
  return { events, problems, facts };
}

/** `entry a`, `leave a`, with the bytes of names shown one by one. */
function told(events: readonly CaptureEvent[]): string[] {
  return events.map((event) => `${event.kind} ${event.path.toString('latin1')}`.trimEnd());
}

function entries(events: readonly CaptureEvent[]): string[] {
  return events.filter(({ kind }) => kind === 'entry').map((e) => e.path.toString('latin1'));
}

describeSourceConformance('files', async () => {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-files-'));
  const root = `${home}/original`;
  fs.mkdirSync(`${root}/a/b/c`, { recursive: true });
  fs.mkdirSync(`${root}/empty`);
  fs.writeFileSync(`${root}/a/b/c/file`, 'content');
  fs.writeFileSync(`${root}/a/none`, '');
  fs.symlinkSync('a/none', `${root}/link`);
  makeFifo(Buffer.from(`${root}/fifo`), 0o600);
  setTimes(Buffer.from(`${root}/a/b`), 5n, 7n);
  return {
    source: filesSource,
    store: storeAt({ path: root }),
    declared: { path: root },
    absent: storeAt({ path: `${home}/absent` }),
    expectEqual: async ({ url }) => {
      expect(await describeEntries(url)).toEqual(await describeEntries(root));
    },
    dispose: async () => fs.rmSync(home, { recursive: true, force: true }),
  };
});

async function describeEntries(root: string): Promise<unknown[]> {
  const described: unknown[] = [];
  for await (const event of walkTree(Buffer.from(root), contextIn(root))) {
    if (event.kind !== 'entry') continue;
    const { kind, permissions, mtimeNs, uid, gid, sizeBytes, linkTarget } = event.metadata;
    const { content } = event;
    const bytes = content.from === 'path' ? fs.readFileSync(content.absolutePath) : undefined;
    const at = event.path.toString('latin1');
    described.push({ at, kind, permissions, mtimeNs, uid, gid, sizeBytes, linkTarget, bytes });
  }
  return described;
}

describe('the walk', () => {
  it('goes in the order of bytes, each folder left after what is in it', async () => {
    const at = (name: Buffer | string) =>
      Buffer.concat([Buffer.from(`${folder}/root/`), Buffer.from(name)]);
    for (const name of ['b', '\u{1f600}', '\uffee', 'a-', Buffer.from([0xff])])
      fs.writeFileSync(at(name), '');
    fs.mkdirSync(at('a/x'), { recursive: true });
    const { events } = await captureAll({});
    const latin1 = (text: string) => Buffer.from(text).toString('latin1');
    expect(told(events)).toEqual([
      'entry',
      ...['entry a', 'entry a/x', 'leave a/x', 'leave a', 'entry a-', 'entry b'],
      ...[`entry ${latin1('\uffee')}`, `entry ${latin1('\u{1f600}')}`, 'entry \xff'],
      'leave',
    ]);
  });

  it('reads large folders whole and in order', async () => {
    for (let index = 0; index < 1_500; index += 1) {
      fs.writeFileSync(`${folder}/root/${'long-name-'.repeat(24)}${index}`, '');
    }
    const { events } = await captureAll({});
    const names = entries(events).slice(1);
    expect(names).toHaveLength(1_500);
    expect(names).toEqual([...names].sort());
  });

  it('leaves out what is excluded, as git does', async () => {
    for (const name of ['keep.tmp', 'x.tmp', 'X.TMP', 'cache/a', 'deep/cache/b', 'build/out']) {
      fs.mkdirSync(path.dirname(`${folder}/root/${name}`), { recursive: true });
      fs.writeFileSync(`${folder}/root/${name}`, '');
    }
    fs.writeFileSync(
      Buffer.concat([Buffer.from(`${folder}/root/`), Buffer.from('\xff.tmp', 'latin1')]),
      '',
    );
    fs.writeFileSync(`${folder}/root/cache-file`, '');
    const { events } = await captureAll({
      exclude: ['# a remark', '*.tmp', '!keep.tmp', 'cache/', '/build'],
    });
    expect(entries(events)).toEqual(['', 'X.TMP', 'cache-file', 'deep', 'keep.tmp']);
  });

  it('agrees with git on what an exclude means', async () => {
    const patterns = [
      '*.log',
      '!important.log',
      '/top',
      'dir/',
      'a/**/z',
      '**/deep',
      'b/*',
      '!b/keep',
      'sp[ab]ce',
    ];
    const files = [
      'x.log',
      'important.log',
      'top',
      'sub/top',
      'dir/f',
      'sub/dir',
      'a/z',
      'a/1/2/z',
    ];
    const more = [
      'q/deep/f',
      'b/1',
      'b/keep',
      'space',
      'spbce',
      'spcce',
      'sub/x.log',
      'd/important.log',
    ];
    for (const name of [...files, ...more]) {
      fs.mkdirSync(path.dirname(`${folder}/root/${name}`), { recursive: true });
      fs.writeFileSync(`${folder}/root/${name}`, '');
    }
    execFileSync('git', ['init', '-q', `${folder}/root`]);
    fs.writeFileSync(`${folder}/root/.git/info/exclude`, patterns.join('\n'));
    const listed = ['ls-files', '--others', '--exclude-standard'];
    const git = execFileSync('git', ['-C', `${folder}/root`, ...listed], { encoding: 'utf8' });
    const { events } = await captureAll({ exclude: [...patterns, '/.git'] });
    const kept = events.filter((event) => event.kind === 'entry' && event.metadata.kind === 'file');
    expect(entries(kept).sort()).toEqual(git.trim().split('\n').sort());
  });

  it('reuses what a watcher saw unchanged, and goes to what changed', async () => {
    for (const name of ['a/b/c', 'a/d', 'e/f'])
      fs.mkdirSync(`${folder}/root/${name}`, { recursive: true });
    const changedDirectories = new Set(['a/b', 'gone/for/good']);
    const { events } = await captureAll({}, { hasPrevious: true, changedDirectories });
    expect(told(events)).toEqual([
      ...['entry', 'entry a', 'entry a/b', 'reuse a/b/c', 'leave a/b', 'reuse a/d', 'leave a'],
      ...['reuse e', 'leave'],
    ]);
    const full = await captureAll({}, { hasPrevious: false, changedDirectories });
    expect(told(full.events).filter((line) => line.startsWith('reuse'))).toEqual([]);
  });

  it('names what vanishes while it is read and gives the rest', async () => {
    for (const name of ['a', 'b', 'c'])
      fs.mkdirSync(`${folder}/root/${name}/in`, { recursive: true });
    const events: CaptureEvent[] = [];
    for await (const event of walkTree(Buffer.from(`${folder}/root`), contextIn(folder))) {
      events.push(event);
      // Both were listed already; one was looked at, the other not yet.
      if (event.kind !== 'entry' || event.path.toString() !== 'a') continue;
      for (const name of ['a', 'b']) fs.rmSync(`${folder}/root/${name}`, { recursive: true });
    }
    expect(told(events)).toEqual([
      ...['entry', 'entry a', 'problem a', 'leave a', 'problem b'],
      ...['entry c', 'entry c/in', 'leave c/in', 'leave c', 'leave'],
    ]);
    expect(events).toContainEqual(
      expect.objectContaining({ what: 'vanished while it was captured' }),
    );
  });

  it.runIf(isRoot)('stays on one file system when asked to', async () => {
    fs.mkdirSync(`${folder}/root/mounted`);
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', `${folder}/root/mounted`]);
    try {
      fs.writeFileSync(`${folder}/root/mounted/inside`, '');
      expect(entries((await captureAll({ oneFileSystem: true })).events)).toEqual(['', 'mounted']);
      expect(entries((await captureAll({})).events)).toEqual(['', 'mounted', 'mounted/inside']);
    } finally {
      execFileSync('umount', [`${folder}/root/mounted`]);
    }
  });

  it.runIf(isRoot)('names a folder that this user may not read', async () => {
    fs.mkdirSync(`${folder}/root/closed`, { mode: 0o700 });
    fs.mkdirSync(`${folder}/root/open`);
    fs.chmodSync(folder, 0o755);
    const nobody = findUser('nobody');
    expect(nobody).toBeDefined();
    const before = process.getegid?.() ?? 0;
    process.setegid?.(nobody?.gid ?? 65_534);
    process.seteuid?.(nobody?.uid ?? 65_534);
    try {
      const { events } = await captureAll({});
      expect(told(events)).toContain('problem closed');
      expect(told(events)).toContain('entry open');
      expect(events).toContainEqual(expect.objectContaining({ what: 'permission denied' }));
      const { findings } = await filesSource.inspect(
        storeAt({ path: `${folder}/root` }),
        contextIn(folder),
      );
      expect(findings.map(({ code }) => code)).toContain('unreadable-entries');
    } finally {
      process.seteuid?.(0);
      process.setegid?.(before);
    }
  });
});

describe('hooks', () => {
  it('read the snapshot that the before hook makes, and remove it after the contents were read', async () => {
    fs.writeFileSync(`${folder}/root/file`, 'as it was');
    const hooks = {
      before: `cp -a "$HOLDFAST_PATH" '${folder}/snapshot'; echo changed >'${folder}/root/file'`,
      after: `rm -r '${folder}/snapshot'; echo "$HOLDFAST_HOOK $HOLDFAST_STORE" >>'${folder}/after'`,
      path: `${folder}/snapshot`,
    };
    const capture = await filesSource.capture(
      storeAt({ path: `${folder}/root`, hooks }),
      { hasPrevious: false },
      contextIn(folder),
    );
    const events: CaptureEvent[] = [];
    for await (const event of capture.events()) events.push(event);
    expect(fs.readFileSync(`${folder}/snapshot/file`, 'utf8')).toBe('as it was');
    expect(events[1]).toMatchObject({
      content: { absolutePath: Buffer.from(`${folder}/snapshot/file`) },
    });
    expect(capture.root).toBe(`${folder}/root`);
    const outcome = await capture.outcome();
    expect(outcome.facts).toMatchObject({ pointConsistent: true });
    expect(outcome.problems).toBeUndefined();
    await capture.close();
    await capture.close();
    expect(fs.readFileSync(`${folder}/after`, 'utf8')).toBe('after media\n');
    expect(fs.existsSync(`${folder}/snapshot`)).toBe(false);
  });

  it('run the after hook also when the before hook fails, and say why it failed', async () => {
    const hooks = {
      before: 'echo no space in the pool >&2; exit 5',
      after: `touch '${folder}/cleaned'`,
    };
    const failure = await captureAll({ hooks }).catch((error: unknown) => error);
    expect(isHoldfastError(failure, 'sources/hook-failed')).toBe(true);
    expect(String(failure)).toContain('ended with 5: no space in the pool');
    expect(fs.existsSync(`${folder}/cleaned`)).toBe(true);
  });

  it('name a failed after hook as a problem of a good capture', async () => {
    const { problems, events } = await captureAll({ hooks: { before: 'true', after: 'exit 3' } });
    expect(problems).toEqual(['the after hook ended with 3']);
    expect(events.length).toBeGreaterThan(0);
  });

  it('end at their time limit with everything that they started', async () => {
    const before = `sh -c 'sleep 60; true' '${folder}/child' & sleep 60`;
    await expect(captureAll({ hooks: { before, timeout: '200ms' } })).rejects.toThrow(
      'took longer than 200ms',
    );
    const find = () => spawnSync('pgrep', ['-f', `${folder}/child`], { encoding: 'utf8' }).stdout;
    await expect.poll(find).toBe('');
  });

  it('see nothing of the environment that may hold secrets', async () => {
    process.env.HOLDFAST_PASSWORD = 'secret';
    try {
      await captureAll({ hooks: { before: `env >'${folder}/env'` } });
    } finally {
      delete process.env.HOLDFAST_PASSWORD;
    }
    const seen = fs.readFileSync(`${folder}/env`, 'utf8');
    expect(seen).toContain('HOLDFAST_STORE=media');
    expect(seen).not.toContain('secret');
  });
});

describe('what plan says', () => {
  it('tells size, method and that files are read one by one', async () => {
    fs.writeFileSync(`${folder}/root/a`, 'x'.repeat(1000));
    const store = storeAt({ path: `${folder}/root`, exclude: ['*.tmp'] });
    fs.writeFileSync(`${folder}/root/b.tmp`, 'x'.repeat(1000));
    const inspection = await filesSource.inspect(store, contextIn(folder));
    expect(inspection).toMatchObject({ method: 'folder, every 5m', sizeBytes: 1000 });
    expect(inspection.findings.map(({ code }) => code)).toEqual(['not-point-consistent']);
  });

  it('refuses a file and a folder that is not there, and says what mends it', async () => {
    fs.writeFileSync(`${folder}/root/a`, '');
    const file = await filesSource.inspect(
      storeAt({ path: `${folder}/root/a` }),
      contextIn(folder),
    );
    expect(file.findings).toMatchObject([{ severity: 'refuse', code: 'not-a-folder' }]);
    const absent = await filesSource.inspect(
      storeAt({ path: `${folder}/no one` }),
      contextIn(folder),
    );
    expect(absent.findings).toMatchObject([{ mend: `mkdir -p '${folder}/no one'` }]);
  });

  it.each([
    [{ path: 'relative' }, 'must be an absolute path'],
    [{ path: '/x', hooks: { before: 'true', timeout: 'soon' } }, 'must be a duration'],
    [{ path: '/x', exlude: ['a'] }, 'exlude'],
  ])('refuses settings like %j', (own, because) => {
    const parsed = filesSchema.safeParse(own);
    expect(parsed.success).toBe(false);
    expect(JSON.stringify(parsed.error?.issues)).toContain(because);
  });
});
