import type { CommandSpec } from '../command.ts';

export const command: CommandSpec = {
  path: ['init'],
  summary: 'look around and write a first holdfast.yaml, with a password of its own',
  options: [['--dry-run', 'show what would be written, write nothing']],
  examples: ['holdfast init', 'holdfast init --dry-run'],
  exits: { 4: 'there is a holdfast.yaml already; it stays as it is' },
  async run(_args, options, io) {
    const { prepareStarter, writeStarter } = await import('../write-starter.ts');
    const starter = await prepareStarter(process.cwd(), process.env);
    const isDry = options.dryRun === true;
    if (isDry) {
      for (const line of starter.text.trimEnd().split('\n')) io.say(line);
    } else {
      await writeStarter(starter);
      io.say(
        `${starter.file} names ${starter.stores} ${starter.stores === 1 ? 'store' : 'stores'}.`,
      );
      io.say(`The password of the repository: ${starter.passwordFile}`);
      io.say('Keep a copy of it elsewhere: without it nothing comes back.');
      io.say();
      io.say('Read it, mend it, then: holdfast plan');
    }
    const { file, passwordFile, repository, stores, text } = starter;
    io.result({ file, passwordFile, repository, stores, written: !isDry, text });
    return 0;
  },
};
