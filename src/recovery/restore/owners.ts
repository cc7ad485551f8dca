/** Owners by name: on another host the same people may have other numbers. */
import { findGroupId, findUser } from '#base';
import type { TreeNode } from '#repository';

const users = new Map<string, number | undefined>();
const groups = new Map<string, number | undefined>();

/** With the numbers that owner and group have on this host; those that it doesn't know keep theirs. */
export function ownedByName(node: TreeNode): TreeNode {
  const uid = remembered(users, node.user, (name) => findUser(name)?.uid) ?? node.uid;
  const gid = remembered(groups, node.group, findGroupId) ?? node.gid;
  return { ...node, uid, gid };
}

function remembered(
  known: Map<string, number | undefined>,
  name: string,
  find: (name: string) => number | undefined,
): number | undefined {
  if (name === '') return undefined;
  if (!known.has(name)) known.set(name, find(name));
  return known.get(name);
}
