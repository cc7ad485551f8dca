import { expect, it } from 'vitest';
import { commands } from './all.ts';
import { commandByName } from './by-name.ts';

/** They are made of all the others. */
const OF_ALL = ['help', 'completion'];

it('finds each command by its words, whatever follows them, and is the one that is among all', async () => {
  for (const command of commands) {
    const expected = OF_ALL.includes(command.path.join(' ')) ? undefined : command;
    expect(await commandByName(command.path)).toBe(expected);
    expect(await commandByName([...command.path, 'further', 'words'])).toBe(expected);
    expect(await commandByName([...command.path, '--help'])).toBe(expected);
  }
});

it('finds none where the words name none, or lead elsewhere', async () => {
  const others = [
    [],
    ['repo'],
    ['repo', 'bakup'],
    ['all'],
    ['--json', 'plan'],
    ['../errors'],
    [''],
  ];
  for (const words of others) expect(await commandByName(words)).toBeUndefined();
});
