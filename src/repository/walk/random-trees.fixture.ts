/** For tests: trees of any shape, saved into a repository, and the same as a plain list of paths. */
import fc from 'fast-check';
import { madeMetadata } from '#base';
import { encodeTree } from '../tree/encode-tree.ts';
import type { TreeNode } from '../tree/node.ts';
import type { RepositoryWriter } from '../writer/writer.ts';

export type Plan =
  | { kind: 'file'; content: string; permissions: number }
  | { kind: 'symlink'; target: string }
  | { kind: 'dir'; entries: PlannedEntries };
export type PlannedEntries = Record<string, Plan>;

const name = fc.constantFrom('a', 'b', 'c.sql', 'd d', 'é', 'z\n', '😀', '\uffee');

export const anyEntries: fc.Arbitrary<PlannedEntries> = fc.letrec<{ entries: PlannedEntries }>(
  (tie) => ({
    entries: fc.dictionary(
      name,
      fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.record({
          kind: fc.constant('file' as const),
          content: fc.constantFrom('', 'one', 'two', 'three'),
          permissions: fc.constantFrom(0o600, 0o644),
        }),
        fc.record({
          kind: fc.constant('symlink' as const),
          target: fc.constantFrom('x', 'y'),
        }),
        fc.record({ kind: fc.constant('dir' as const), entries: tie('entries') }),
      ),
      { maxKeys: 5 },
    ),
  }),
).entries;

/** Resolves to the tree's id, which can be read once the writer has finished. */
export async function saveEntries(
  writer: RepositoryWriter,
  entries: PlannedEntries,
): Promise<string> {
  const nodes: TreeNode[] = [];
  for (const [text, plan] of Object.entries(entries)) {
    nodes.push({ ...(await saveNode(writer, plan)), name: Buffer.from(text) });
  }
  nodes.sort((a, b) => Buffer.compare(a.name, b.name));
  return await writer.saveTree(encodeTree(nodes));
}

async function saveNode(writer: RepositoryWriter, plan: Plan): Promise<Omit<TreeNode, 'name'>> {
  if (plan.kind === 'dir') {
    const subtree = await saveEntries(writer, plan.entries);
    return { ...madeMetadata('dir', 0o755, 0n), subtree };
  }
  if (plan.kind === 'symlink') {
    return { ...madeMetadata('symlink', 0o777, 0n), linkTarget: Buffer.from(plan.target) };
  }
  const bytes = Buffer.from(plan.content);
  const { ids } = await writer.saveStream([bytes] as unknown as AsyncIterable<Buffer>, {
    kind: 'content',
  });
  const made = madeMetadata('file', plan.permissions, 0n);
  return { ...made, sizeBytes: BigInt(bytes.length), content: ids };
}

/** Every path with its plan, in the order of a walk by the bytes of the names. */
export function pathsOf(entries: PlannedEntries, below = ''): [path: string, plan: Plan][] {
  const names = Object.keys(entries).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return names.flatMap((text) => {
    const plan = entries[text] as Plan;
    const path = `${below}/${text}`;
    return [[path, plan], ...(plan.kind === 'dir' ? pathsOf(plan.entries, path) : [])];
  });
}
