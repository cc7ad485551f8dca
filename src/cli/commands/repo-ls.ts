import type { Repository, TreeNode } from '#repository';
import type { CommandSpec } from '../command.ts';
import {
  REPOSITORY_EXITS,
  REPOSITORY_OPTIONS,
  showBytes,
  withRepository,
} from '../repository/session.ts';

type Listed = { path: Buffer; node: TreeNode };

/** Depth first, one tree in memory for each level. */
async function* walkTree(
  repository: Repository,
  decode: (bytes: Buffer) => Iterable<TreeNode>,
  tree: string,
  parent: Buffer,
): AsyncGenerator<Listed> {
  for (const node of decode(await repository.readBlob('tree', tree))) {
    const path = Buffer.concat([parent, Buffer.from('/'), node.name]);
    yield { path, node };
    if (node.subtree !== undefined) yield* walkTree(repository, decode, node.subtree, path);
  }
}

const KIND_LETTERS: Record<TreeNode['kind'], string> = {
  file: '-',
  dir: 'd',
  symlink: 'l',
  dev: 'b',
  chardev: 'c',
  fifo: 'p',
  socket: 's',
};

function modeText({ kind, permissions }: TreeNode): string {
  const letters = [...'rwxrwxrwx'].map((letter, bit) =>
    permissions & (0o400 >> bit) ? letter : '-',
  );
  return KIND_LETTERS[kind] + letters.join('');
}

const ISO_MS_LIMIT = 8.64e15;

function timeText(mtimeNs: bigint): string {
  const ms = Number(mtimeNs / 1_000_000n);
  return Math.abs(ms) > ISO_MS_LIMIT ? String(ms) : new Date(ms).toISOString().slice(0, 19);
}

export const command: CommandSpec = {
  path: ['repo', 'ls'],
  summary: 'list what a snapshot holds',
  arguments: [
    ['<snapshot>', 'id, the beginning of one, or latest'],
    ['[path]', 'only this path and what lies below'],
  ],
  options: [...REPOSITORY_OPTIONS, ['-l, --long', 'with mode, size and time']],
  examples: ['holdfast repo ls latest /srv/media --repo /srv/backup --long'],
  exits: { ...REPOSITORY_EXITS, 5: 'no such repository, snapshot or path in it' },
  async run([snapshotName, below], options, io) {
    const { decodeTree } = await import('#repository');
    const { errors } = await import('../errors.ts');
    const prefix = typeof below === 'string' ? below.replace(/\/+$/, '') : '';
    let shownCount = 0;
    await withRepository(options, async (repository) => {
      const snapshot = await repository.snapshots.find(String(snapshotName));
      await repository.loadIndex();
      for await (const { path, node } of walkTree(
        repository,
        decodeTree,
        snapshot.tree,
        Buffer.of(),
      )) {
        io.signal.throwIfAborted();
        const shown = showBytes(path);
        if (shown !== prefix && !shown.startsWith(`${prefix}/`)) continue;
        shownCount += 1;
        const target = node.linkTarget ? ` -> ${showBytes(node.linkTarget)}` : '';
        const long = `${modeText(node)} ${String(node.sizeBytes).padStart(12)} ${timeText(node.mtimeNs)} `;
        io.say(`${options.long ? long : ''}${shown}${target}`);
        io.result({
          path: shown,
          kind: node.kind,
          sizeBytes: node.sizeBytes,
          permissions: node.permissions.toString(8),
          uid: node.uid,
          gid: node.gid,
          mtimeNs: node.mtimeNs,
        });
      }
      if (prefix !== '' && shownCount === 0) {
        throw errors.notInSnapshot([snapshot.id.slice(0, 8), prefix]);
      }
    });
    return 0;
  },
};
