import type { CommandSpec, Io } from '../command.ts';
import type { Catalogue } from '../frame/program.ts';
import { listOf } from '../repository/session.ts';

/** Of the commands handed in, because it is one of them itself. */
export const helpOf = (catalogue: () => Omit<Catalogue, 'version'>): CommandSpec => ({
  path: ['help'],
  summary: 'show the help of a command, or write manual pages',
  arguments: [['[command...]', 'repo backup, say']],
  options: [['--man <folder>', 'write a manual page for each command into this folder']],
  examples: [
    'holdfast help repo backup',
    'holdfast help --man /usr/local/share/man/man1 && man holdfast-repo-backup',
  ],
  exits: { 2: 'there is no such command' },
  async run([words], options, io) {
    const { helpText } = await import('../frame/program.ts');
    const { productVersion } = await import('../frame/version.ts');
    const whole = { ...catalogue(), version: productVersion() };
    if (typeof options.man === 'string') {
      await writeManual(whole, options.man, io);
      return 0;
    }
    const shown = helpText(whole, listOf(words));
    io.say(shown.trimEnd());
    io.result({ command: listOf(words), help: shown });
    return 0;
  },
});

async function writeManual(catalogue: Catalogue, folder: string, io: Io): Promise<void> {
  const fs = await import('node:fs/promises');
  const path = await import('node:path');
  const { formatCounted } = await import('#base');
  const { manualPages } = await import('../frame/manual.ts');
  const { EXIT_MEANINGS } = await import('../frame/program.ts');
  const { errors } = await import('../errors.ts');
  const { systemReason } = await import('../frame/failure.ts');
  const pages = manualPages({ ...catalogue, exits: EXIT_MEANINGS });
  try {
    await fs.mkdir(folder, { recursive: true });
    for (const { file, text } of pages) await fs.writeFile(path.join(folder, file), text);
  } catch (cause) {
    const why = `${folder} can't be written: ${systemReason(cause)}`;
    throw errors.usage([why, 'holdfast help'], { cause });
  }
  io.say(`${formatCounted(pages.length, 'page')} written to ${folder}.`);
  io.say(`\n  read one   man -l ${path.join(folder, 'holdfast.1')}`);
  io.result({ folder, pages: pages.map(({ file }) => file) });
}
