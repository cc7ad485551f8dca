/** The frame as a whole, by real processes: exit codes, errors, JSON, interrupts, a reader that leaves. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const fixture = fileURLToPath(new URL('command-line.fixture.ts', import.meta.url));
const main = path.join(path.dirname(fixture), '../main.ts');

type Ended = { code: number | null; output: string; errors: string };

function start(file: string, args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [file, ...args], { env: { ...process.env, ...env } });
  let output = '';
  let errors = '';
  child.stdout.on('data', (bytes) => {
    output += bytes;
  });
  child.stderr.on('data', (bytes) => {
    errors += bytes;
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code) => resolve({ code, output, errors }));
  });
  const said = (text: string) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (output.includes(text)) resolve();
      };
      child.stdout.on('data', look);
      look();
    });
  return { child, ended, said };
}

const run = (...args: string[]) => start(fixture, args).ended;

describe('a command line', () => {
  test.each([
    ['failed', 1],
    ['invalid', 2],
    ['partial', 3],
    ['refused', 4],
    ['not-found', 5],
    ['verdict', 6],
    ['interrupted', 130],
  ])('ends with the exit code of an error of kind %s', async (kind, code) => {
    const ended = await run('throw', kind);
    expect(ended).toMatchObject({ code, output: '' });
    expect(ended.errors).toContain('holdfast.yaml:3:1: it went so\n  Do this.\n');
  });

  test('gives an error as an object under --json', async () => {
    const ended = await run('throw', 'refused', '--json');
    expect(ended.code).toBe(4);
    expect(JSON.parse(ended.output)).toEqual({
      error: {
        code: 'test/it',
        kind: 'refused',
        message: 'it went so',
        guidance: 'Do this.',
        where: 'holdfast.yaml:3:1',
      },
    });
  });

  test('shows a stack only where it is asked for', async () => {
    const quiet = await run('throw', 'unexpected');
    expect(quiet).toMatchObject({ code: 1 });
    expect(quiet.errors).toContain('✗ boom');
    expect(quiet.errors).not.toContain('    at ');
    const loud = await start(fixture, ['throw', 'unexpected'], { HOLDFAST_DEBUG: '1' }).ended;
    expect(loud.errors).toContain('    at ');
  });

  test.each([
    [['thorw'], 'Did you mean "throw"?'],
    [['repo', 'chekc'], 'Did you mean "repo check"?'],
    [['repo', 'chekc', '--repo', '/srv/backup'], 'Did you mean "repo check"?'],
    [['--nothing'], "unknown option '--nothing'"],
    [['throw', '--kidn', 'x'], '--kind'],
    [['throw'], "missing required argument 'kind'"],
    [['throw', 'failed', 'more'], 'too many arguments'],
  ])('%j is refused with what was probably meant', async (args, hint) => {
    const ended = await run(...args);
    expect(ended.code).toBe(2);
    expect(ended.errors).toContain(hint);
  });

  test('prints results as JSON, positions as digits, and swallows text', async () => {
    const ended = await run('speak', '--json');
    expect(ended).toMatchObject({ code: 0, output: '{"position":"9007199254740993"}\n' });
    expect(await run('speak')).toMatchObject({ output: 'hello\n' });
  });

  test('lets no text from outside move the cursor', async () => {
    expect(await run('repeat')).toMatchObject({ output: 'a\\x1b[2J\\x9bb\n\tc\\x0d\n' });
  });

  test('stops at the first interrupt and tells the command', async () => {
    const waiting = start(fixture, ['wait']);
    await waiting.said('waiting');
    waiting.child.kill('SIGINT');
    expect(await waiting.ended).toMatchObject({ code: 130, output: 'waiting\ncleaned up\n' });
  });

  test('ends at once at the second interrupt', async () => {
    const stubborn = start(fixture, ['wait', '--stubborn']);
    await stubborn.said('waiting');
    stubborn.child.kill('SIGINT');
    await stubborn.said('asked to stop');
    stubborn.child.kill('SIGINT');
    expect((await stubborn.ended).code).toBe(130);
  });

  test('is quiet when the reader leaves', async () => {
    const endless = start(fixture, ['endless']);
    await endless.said('line');
    endless.child.stdout.destroy();
    const { errors } = await endless.ended;
    expect(errors).toBe('');
  });
});

describe('the real command line', () => {
  test('every command has help with an example and its exit codes', async () => {
    const { commands } = await import('../commands/all.ts');
    for (const spec of commands) {
      expect(spec.examples.length, spec.path.join(' ')).toBeGreaterThan(0);
      for (const example of spec.examples) {
        expect(example).toContain(`holdfast ${spec.path.join(' ')}`);
      }
    }
    const words = commands[0]?.path ?? [];
    const help = await start(main, [...words, '--help']).ended;
    expect(help.code).toBe(0);
    expect(help.output).toContain('Exit codes:');
    for (const { path } of commands.filter(({ exits }) => exits?.[3] !== undefined).slice(0, 6)) {
      const { output } = await start(main, [...path, '--help']).ended;
      expect(
        output.split('\n').filter((line) => line.length > 80 && !/holdfast/.test(line)),
      ).toEqual([]);
    }
  });

  test('completion scripts are accepted by bash', async () => {
    const script = await start(main, ['completion', 'bash']).ended;
    const bash = spawn('bash', [
      '-c',
      `${script.output}\nCOMP_WORDS=(holdfast compl); COMP_CWORD=1; _holdfast; echo "\${COMPREPLY[@]}"`,
    ]);
    let output = '';
    bash.stdout.on('data', (bytes) => {
      output += bytes;
    });
    await new Promise((resolve) => bash.on('close', resolve));
    expect(output.trim()).toBe('completion');
  });
});
