import type { Repository } from '#repository';
import type { CommandSpec } from '../command.ts';
import { REPOSITORY_EXITS, REPOSITORY_OPTIONS, withRepository } from '../repository/session.ts';

export const command: CommandSpec = {
  path: ['repo', 'check'],
  summary: 'look for damage, and name what it makes unrestorable',
  options: [
    ...REPOSITORY_OPTIONS,
    ['--read-data', 'read and verify every byte, too'],
    [
      '--read-data-subset <part>',
      'read a part: 1% or 500M (what was read longest ago), or 2/7 (the second of seven parts)',
    ],
  ],
  examples: [
    'holdfast repo check --repo /srv/backup --read-data',
    'holdfast repo check --repo /srv/backup --read-data-subset 5%',
  ],
  exits: { ...REPOSITORY_EXITS, 6: 'damage was found (named)' },
  async run(_args, options, io) {
    const load = () => import('#repository/check');
    const { formatCount, formatCounted, formatSize } = await import('#base');
    const subset = options.readDataSubset;
    const read = typeof subset === 'string' ? (await load()).parseSelection(subset) : undefined;
    const readsMuch = options.readData === true || read !== undefined;
    const work = async (repository: Repository) => {
      const { checkRepository } = await load();
      const report = await checkRepository(repository, {
        readData: options.readData === true,
        ...(read && { read }),
        progress: io.progress,
        signal: io.signal,
      });
      const { checked } = report;
      for (const { name, what } of report.mended) io.say(`✓ mended ${name}: ${what}`);
      for (const problem of report.problems) io.say(`✗ ${problem.what}`);
      for (const file of report.affected) {
        io.say(`  ${file.snapshot.slice(0, 8)} ${file.path}: ${file.because}`);
      }
      if (report.affectedCount > report.affected.length) {
        io.say(`  and ${formatCount(report.affectedCount - report.affected.length)} more files`);
      }
      for (const note of report.notes) io.say(`· ${note}`);
      const bytes = checked.readBytes > 0 ? `, ${formatSize(checked.readBytes)} read` : '';
      const seen = `${formatCounted(checked.snapshots, 'snapshot')}, ${formatCounted(checked.packs, 'pack')}, ${formatCounted(checked.blobs, 'blob')}${bytes}`;
      const clean = report.verdict === 'pass';
      io.say(
        `${clean ? '✓ no damage' : `✗ ${formatCounted(report.problems.length, 'problem')}`}: ${seen}`,
      );
      if (clean && !options.readData && !read)
        io.say('\n  every byte   holdfast repo check --read-data');
      io.result(report);
      return clean ? 0 : 6;
    };
    // What is nearby proves nothing about what is stored.
    return await withRepository({ ...options, cache: false }, work, {
      load,
      threads: async () => (readsMuch ? 'decode' : undefined),
    });
  },
};
