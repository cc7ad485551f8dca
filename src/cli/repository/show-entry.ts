/** Entries of snapshots as lists show them, and as programs get them. */
import type { TreeNode } from '#repository';
import { showBytes } from './session.ts';

const KIND_LETTERS: Record<TreeNode['kind'], string> = {
  file: '-',
  dir: 'd',
  symlink: 'l',
  dev: 'b',
  chardev: 'c',
  fifo: 'p',
  socket: 's',
};

/** `drwxr-sr-t`, as ls writes it. */
export function modeText({ kind, permissions }: TreeNode): string {
  const letters = [...'rwxrwxrwx'].map((letter, bit) =>
    permissions & (0o400 >> bit) ? letter : '-',
  );
  const special: [bit: number, at: number, letter: string][] = [
    [0o4000, 2, 's'],
    [0o2000, 5, 's'],
    [0o1000, 8, 't'],
  ];
  for (const [bit, at, letter] of special) {
    if (permissions & bit) letters[at] = letters[at] === 'x' ? letter : letter.toUpperCase();
  }
  return KIND_LETTERS[kind] + letters.join('');
}

const ISO_MS_LIMIT = 8.64e15;

export function timeText(mtimeNs: bigint): string {
  const ms = Number(mtimeNs / 1_000_000n);
  return Math.abs(ms) > ISO_MS_LIMIT ? String(ms) : new Date(ms).toISOString().slice(0, 19);
}

/** Mode, owner, size and time in columns. */
export function longText(node: TreeNode): string {
  const owner = `${node.user || node.uid}:${node.group || node.gid}`;
  return `${modeText(node)} ${owner.padEnd(13)} ${String(node.sizeBytes).padStart(12)} ${timeText(node.mtimeNs)}`;
}

export function pathText(path: Buffer, node: TreeNode): string {
  const target = node.linkTarget ? ` -> ${showBytes(node.linkTarget)}` : '';
  return `${showBytes(path)}${target}`;
}

/** For `--json`. Sizes and times that a number can't hold are texts of digits. */
export function entryFacts(path: Buffer, node: TreeNode) {
  return {
    path: showBytes(path),
    kind: node.kind,
    sizeBytes: node.sizeBytes,
    permissions: node.permissions.toString(8),
    uid: node.uid,
    gid: node.gid,
    user: node.user,
    group: node.group,
    mtimeNs: node.mtimeNs,
    ...(node.linkTarget && { linkTarget: showBytes(node.linkTarget) }),
  };
}
