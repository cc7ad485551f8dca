import type { CommandSpec } from '../command.ts';
import {
  listOf,
  REPOSITORY_EXITS,
  REPOSITORY_OPTIONS,
  withRepository,
} from '../repository/session.ts';

export const command: CommandSpec = {
  path: ['repo', 'ls'],
  summary: 'list what a snapshot holds',
  arguments: [
    ['<snapshot>', 'id, the beginning of one, or latest'],
    ['[path...]', 'only these paths, or what these patterns match, with what lies below'],
  ],
  options: [
    ...REPOSITORY_OPTIONS,
    ['-l, --long', 'with mode, owner, size and time'],
    ['--flat', 'not what lies below what matches'],
  ],
  examples: [
    'holdfast repo ls latest /srv/media --repo /srv/backup --long',
    "holdfast repo ls latest '/srv/**/*.sql' --repo /srv/backup",
  ],
  exits: {
    ...REPOSITORY_EXITS,
    3: 'some directories are damaged (named)',
    5: 'no such repository, snapshot or path in it',
  },
  async run([snapshotName, paths], options, io) {
    const { componentsOf, treeEntries } = await import('#repository');
    const { errors } = await import('../errors.ts');
    const { globsOf } = await import('../repository/globs.ts');
    const { entryFacts, longText, pathText } = await import('../repository/show-entry.ts');
    const { showBytes } = await import('../repository/session.ts');
    const globs = await globsOf(paths, 'holdfast repo ls');
    let damaged = 0;
    let shownCount = 0;
    await withRepository(options, async (repository) => {
      const snapshot = await repository.snapshots.find(String(snapshotName));
      await repository.loadIndex();
      /** Depth of the outermost directory that matched; what lies below it is shown. */
      let shownBelow = Number.POSITIVE_INFINITY;
      const entries = treeEntries(repository, snapshot.tree, {
        signal: io.signal,
        enters: ({ path }) => {
          const components = componentsOf(path);
          if (globs.length === 0 || components.length >= shownBelow) return true;
          return globs.some((glob) => glob.mayMatchBelow(components));
        },
        onDamaged: (path, error) => {
          damaged += 1;
          io.warn(`! ${showBytes(path) || '/'}: ${error.message}`);
        },
      });
      for await (const { path, node } of entries) {
        const components = componentsOf(path);
        if (components.length <= shownBelow) shownBelow = Number.POSITIVE_INFINITY;
        const matches = globs.length === 0 || globs.some((glob) => glob.matches(components));
        if (!matches && components.length <= shownBelow) continue;
        if (matches && node.kind === 'dir' && options.flat !== true) {
          shownBelow = Math.min(shownBelow, components.length);
        }
        shownCount += 1;
        io.say(`${options.long ? `${longText(node)} ` : ''}${pathText(path, node)}`);
        io.result(entryFacts(path, node));
      }
      if (globs.length > 0 && shownCount === 0) {
        throw errors.notInSnapshot([snapshot.id.slice(0, 8), listOf(paths).join(', ')]);
      }
    });
    return damaged > 0 ? 3 : 0;
  },
};
