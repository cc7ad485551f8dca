import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { commands, groups } from '../commands/all.ts';
import { completionScript } from './completion.ts';
import { manualPages } from './manual.ts';
import { EXIT_MEANINGS, helpText } from './program.ts';

const catalogue = { commands, groups, version: '1.2.3' };
const pages = manualPages({ ...catalogue, exits: EXIT_MEANINGS });

const longFlags = (text: string) => text.match(/--[a-z][a-z-]+/g) ?? [];

describe('manual pages', () => {
  test('there is one for each command, with all its options, and one for all', () => {
    expect(pages).toHaveLength(commands.length + 1);
    for (const spec of commands) {
      const page = pages.find(({ file }) => file === `holdfast-${spec.path.join('-')}.1`);
      const plain = page?.text.replaceAll('\\-', '-') ?? '';
      for (const [flags] of spec.options ?? []) {
        for (const flag of longFlags(flags)) expect(plain, spec.path.join(' ')).toContain(flag);
      }
      for (const example of spec.examples) {
        expect(plain.replaceAll('\\(aq', "'").replaceAll('\\e', '\\')).toContain(example);
      }
      expect(pages[0]?.text.replaceAll('\\-', '-')).toContain(
        `holdfast-${spec.path.join('-')} (1)`,
      );
    }
  });

  test.skipIf(spawnSync('groff', ['--version']).error)('groff has nothing to object to', () => {
    const words = ['-man', '-ww', '-z', '-Kutf8', '-Tutf8'];
    for (const { file, text } of pages) {
      const { stderr, status } = spawnSync('groff', words, { input: text, encoding: 'utf8' });
      expect(stderr, file).toBe('');
      expect(status).toBe(0);
    }
  });
});

test('help tells of a command what its --help does', () => {
  expect(helpText(catalogue, ['repo', 'diff'])).toContain('Usage: holdfast repo diff');
  expect(helpText(catalogue, [])).toContain('First steps');
  expect(() => helpText(catalogue, ['repo', 'dif'])).toThrow('repo dif');
});

describe('completion', () => {
  const script = completionScript('bash', commands);

  function completed(...words: string[]): string[] {
    const given = words.map((word) => `'${word}'`).join(' ');
    const program = `${script}
      COMP_WORDS=(holdfast ${given}); COMP_CWORD=${words.length}; _holdfast
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['-c', program], { encoding: 'utf8' }).trim().split('\n');
  }

  test('knows every command and every option', () => {
    expect(completed('')).toEqual([...new Set(commands.map(({ path: [first] }) => first))]);
    for (const spec of commands) {
      const options = completed(...spec.path, '--');
      const flags = (spec.options ?? []).flatMap(([syntax]) => longFlags(syntax));
      expect(options, spec.path.join(' ')).toEqual(expect.arrayContaining(flags));
    }
  }, 60_000);

  test('knows options after arguments', () => {
    expect(completed('repo', 'diff', 'latest', '--meta')).toEqual(['--metadata']);
  });

  test.each(['zsh', 'fish'])('%s takes its script', (shell) => {
    const found = spawnSync(shell, ['--version']);
    const text = completionScript(shell, commands);
    expect(text).toContain('metadata');
    if (found.error) return;
    const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-shell-')), 'script');
    fs.writeFileSync(file, text);
    expect(spawnSync(shell, ['-n', file]).status).toBe(0);
    fs.rmSync(path.dirname(file), { recursive: true });
  });
});
