import type { CommandSpec } from '../command.ts';
import { REPOSITORY_EXITS, REPOSITORY_OPTIONS, withRepository } from '../repository/session.ts';

export const command: CommandSpec = {
  path: ['repo', 'check'],
  summary: 'look for damage, and name what it makes unrestorable',
  options: [...REPOSITORY_OPTIONS, ['--read-data', 'read and verify every byte, too']],
  examples: ['holdfast repo check --repo /srv/backup --read-data'],
  exits: { ...REPOSITORY_EXITS, 6: 'damage was found (named)' },
  async run(_args, options, io) {
    const { checkRepository } = await import('#repository');
    const { formatCount, formatCounted, formatSize } = await import('#base');
    return await withRepository(options, async (repository) => {
      const report = await checkRepository(repository, {
        readData: options.readData === true,
        progress: io.progress,
        signal: io.signal,
      });
      const { checked } = report;
      for (const problem of report.problems) io.say(`✗ ${problem.what}`);
      for (const file of report.affected) {
        io.say(`  ${file.snapshot.slice(0, 8)} ${file.path}: ${file.because}`);
      }
      if (report.affectedCount > report.affected.length) {
        io.say(`  and ${formatCount(report.affectedCount - report.affected.length)} more files`);
      }
      for (const note of report.notes) io.say(`· ${note}`);
      const read = options.readData === true ? `, ${formatSize(checked.readBytes)} read` : '';
      const seen = `${formatCounted(checked.snapshots, 'snapshot')}, ${formatCounted(checked.packs, 'pack')}, ${formatCounted(checked.blobs, 'blob')}${read}`;
      const clean = report.verdict === 'pass';
      io.say(
        `${clean ? '✓ no damage' : `✗ ${formatCounted(report.problems.length, 'problem')}`}: ${seen}`,
      );
      if (clean && !options.readData) io.say('\n  every byte   holdfast repo check --read-data');
      io.result(report);
      return clean ? 0 : 6;
    });
  },
};
