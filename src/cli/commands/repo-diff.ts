import type { Difference, DiffTotals, Repository, TreeNode } from '#repository';
import type { CommandSpec, Io } from '../command.ts';
import { REPOSITORY_EXITS, REPOSITORY_OPTIONS, withRepository } from '../repository/session.ts';

/** The marks of restic's diff, which people know. */
const MARKS: Record<Difference['change'], string> = {
  added: '+',
  removed: '-',
  content: 'M',
  metadata: 'U',
  type: 'T',
};

export const command: CommandSpec = {
  path: ['repo', 'diff'],
  summary: 'show what differs between two snapshots',
  arguments: [
    ['<before>', 'id, the beginning of one, or latest'],
    ['<after>', 'the same, of the later one'],
    ['[path]', 'only this folder and what lies below'],
  ],
  options: [
    ...REPOSITORY_OPTIONS,
    ['--metadata', 'show also what differs in owner, mode, time or attributes alone'],
    ['--summary', 'only the sums'],
  ],
  examples: [
    'holdfast repo diff 1f2e latest --repo /srv/backup',
    'holdfast repo diff 1f2e 9ac0 /srv/media --metadata --repo /srv/backup',
  ],
  exits: {
    ...REPOSITORY_EXITS,
    3: 'some directories are damaged (named)',
    5: 'no such repository, snapshot or path in both',
  },
  async run([beforeName, afterName, below], options, io) {
    const { DiffCounter, diffTrees } = await import('#repository');
    const { showBytes } = await import('../repository/session.ts');
    return await withRepository(options, async (repository) => {
      const before = await repository.snapshots.find(String(beforeName));
      const after = await repository.snapshots.find(String(afterName));
      await repository.loadIndex();
      const root = Buffer.from(typeof below === 'string' ? below : '');
      const trees = await treesAt(repository, [before, after], root, io.signal);
      const counter = new DiffCounter(repository.index);
      let damaged = 0;
      const differences = diffTrees(repository, trees[0], trees[1], {
        signal: io.signal,
        root: Buffer.from(
          root
            .toString('latin1')
            .replace(/^(?=[^/])/, '/')
            .replace(/\/+$/, ''),
          'latin1',
        ),
        onDamaged: (path, error) => {
          damaged += 1;
          io.warn(`! ${showBytes(path) || '/'}: ${error.message}`);
        },
      });
      for await (const difference of differences) {
        counter.add(difference);
        const isQuiet = difference.change === 'metadata' && options.metadata !== true;
        if (options.summary === true || isQuiet) continue;
        const { path, change } = difference;
        const isFolder = (difference.after ?? difference.before)?.kind === 'dir';
        io.say(`${MARKS[change]}  ${showBytes(path)}${isFolder ? '/' : ''}`);
        io.result(differenceFacts(difference, showBytes(path)));
      }
      await showTotals(counter.totals(), io);
      return damaged > 0 ? 3 : 0;
    });
  },
};

/** The trees of a folder in both; one where it isn't is an empty one, as long as the other one has it. */
async function treesAt(
  repository: Repository,
  snapshots: readonly { id: string; tree: string }[],
  path: Buffer,
  signal: AbortSignal,
): Promise<(string | undefined)[]> {
  const { findPath } = await import('#repository');
  const { errors } = await import('../errors.ts');
  const found = await Promise.all(
    snapshots.map(({ tree }) => findPath(repository, tree, path, signal)),
  );
  const trees = found.map((at) => (at?.kind === 'directory' ? at.tree : undefined));
  if (trees.every((tree) => tree === undefined)) {
    const names = snapshots.map(({ id }) => id.slice(0, 8)).join(' and ');
    throw errors.notInSnapshot([names, `${path} (as a folder)`]);
  }
  return trees;
}

function differenceFacts({ change, before, after }: Difference, path: string) {
  const side = (node: TreeNode) => ({
    kind: node.kind,
    sizeBytes: node.sizeBytes,
    permissions: node.permissions.toString(8),
    uid: node.uid,
    gid: node.gid,
    mtimeNs: node.mtimeNs,
  });
  return {
    path,
    change,
    mark: MARKS[change],
    ...(before && { before: side(before) }),
    ...(after && { after: side(after) }),
  };
}

async function showTotals(totals: DiffTotals, io: Io): Promise<void> {
  const { formatCounted, formatSize } = await import('#base');
  const amount = ({ files, directories, others, bytes }: DiffTotals['added']) => {
    const parts = [`${formatCounted(files, 'file')} (${formatSize(bytes)})`];
    parts.push(formatCounted(directories, 'folder'));
    if (others > 0) parts.push(`${others} others`);
    return parts.join(', ');
  };
  io.say();
  io.say(`added     ${amount(totals.added)}`);
  io.say(`removed   ${amount(totals.removed)}`);
  io.say(
    `changed   ${totals.content} in content, ${totals.metadata} in metadata alone, ${totals.type} in type`,
  );
  io.say(
    `data      ${formatSize(totals.newBytes)} only after, ${formatSize(totals.goneBytes)} only before`,
  );
  io.result({ totals });
}
