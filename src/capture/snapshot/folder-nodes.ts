/**
 * The nodes of one folder until its tree is stored, added in any order and given back in that of their names. A folder
 * of a million entries would be gigabytes of objects: beyond some thousands they are written down, compressed, in sorted
 * runs, and merged when they are wanted.
 */
import zlib from 'node:zlib';
import { type NodeSpan, nodeText, type TreeNode, type WrittenNode } from '#repository';

export type FolderNode = TreeNode | WrittenNode | NodeSpan;

/** Few folders have more: those that have fewer are sorted as they are. */
const RUN_NODES = 8192;
/** Contents of large files are bytes already, and stay outside of runs. */
const MOST_CONTENT_BYTES = 64 * 1024;
const HEADER_BYTES = 8;
/** Most of it is digits of ids: more work gives little. */
const RUN_LEVEL = 1;

/** `first`: the name that it begins with. */
type Run = { first: Buffer; nodes: () => Iterator<FolderNode> };
type Opened = { nodes: Iterator<FolderNode>; head: FolderNode };

export class FolderNodes {
  #waiting: FolderNode[] = [];
  /** Those that don't go into a run. */
  readonly #large: FolderNode[] = [];
  readonly #runs: Run[] = [];
  #runBytes = 0;

  get isEmpty(): boolean {
    return this.#waiting.length + this.#large.length + this.#runs.length === 0;
  }

  /** Plain bytes of the nodes that lie in runs: 0 for all but the largest folders. */
  get runBytes(): number {
    return this.#runBytes;
  }

  add(node: FolderNode): void {
    this.#waiting.push(node);
    if (this.#waiting.length === RUN_NODES) this.#writeDown();
  }

  /** All of them, once: runs are given away meanwhile. Spans must lie apart from all other nodes. */
  *take(): Generator<FolderNode> {
    const rest = [...this.#waiting, ...this.#large].sort(byName);
    this.#waiting = [];
    if (this.#runs.length === 0) {
      yield* rest;
      return;
    }
    if (rest[0]) this.#runs.push({ first: rest[0].name, nodes: () => rest[Symbol.iterator]() });
    yield* merged(this.#runs.sort((a, b) => Buffer.compare(b.first, a.first)));
  }

  #writeDown(): void {
    const nodes = this.#waiting.sort(byName);
    this.#waiting = [];
    const small: (TreeNode | WrittenNode)[] = [];
    for (const node of nodes) {
      const isLarge = 'lastName' in node || (node.content?.length ?? 0) > MOST_CONTENT_BYTES;
      if (isLarge) this.#large.push(node);
      else small.push(node);
    }
    const [first] = small;
    if (!first) return;
    const plain = written(small);
    this.#runBytes += plain.length;
    const params = { [zlib.constants.ZSTD_c_compressionLevel]: RUN_LEVEL };
    const run = zlib.zstdCompressSync(plain, { params });
    this.#runs.push({ first: first.name, nodes: () => read(zlib.zstdDecompressSync(run)) });
  }
}

const byName = (a: FolderNode, b: FolderNode) => Buffer.compare(a.name, b.name);

/** Lengths of name and text, then both, for each. */
function written(nodes: readonly (TreeNode | WrittenNode)[]): Buffer {
  return Buffer.concat(
    nodes.flatMap((node) => {
      const text = Buffer.from(nodeText(node), 'latin1');
      const header = Buffer.allocUnsafe(HEADER_BYTES);
      header.writeUInt32LE(node.name.length, 0);
      header.writeUInt32LE(text.length, 4);
      return [header, node.name, text];
    }),
  );
}

function* read(run: Buffer): Generator<WrittenNode> {
  for (let at = 0; at < run.length; ) {
    const nameAt = at + HEADER_BYTES;
    const textAt = nameAt + run.readUInt32LE(at);
    const end = textAt + run.readUInt32LE(at + 4);
    yield { name: run.subarray(nameAt, textAt), text: run.toString('latin1', textAt, end) };
    at = end;
  }
}

/** Runs that are ordered from the last to the first; each is read when its first node comes, and forgotten then. */
function* merged(runs: Run[]): Generator<FolderNode> {
  const open: Opened[] = [];
  for (;;) {
    const least = leastOf(open);
    const next = runs.at(-1);
    if (next && (!least || Buffer.compare(next.first, least.head.name) <= 0)) {
      runs.pop();
      const nodes = next.nodes();
      const { value, done } = nodes.next();
      if (!done) open.push({ nodes, head: value });
      continue;
    }
    if (!least) return;
    yield least.head;
    const { value, done } = least.nodes.next();
    if (done) open.splice(open.indexOf(least), 1);
    else least.head = value;
  }
}

function leastOf(open: readonly Opened[]): Opened | undefined {
  let least: Opened | undefined;
  for (const one of open) {
    if (!least || Buffer.compare(one.head.name, least.head.name) < 0) least = one;
  }
  return least;
}
