import type { KnownNode, NodeSpan } from '#repository';

/** Names (latin1) of the first and the last node, and where their bytes lie. */
type Span = { first: string; last: string; start: number; end: number };

/** What of a folder is as in the tree before: of a million neighbours there only two places are kept. */
export class KnownSpans {
  readonly #spans: Span[] = [];
  #goesOn = false;

  /** In the order of the names. */
  add(name: string, { start, end }: KnownNode): void {
    const span = this.#goesOn ? this.#spans.at(-1) : undefined;
    if (span && span.end + 1 === start) {
      span.last = name;
      span.end = end;
    } else this.#spans.push({ first: name, last: name, start, end });
    this.#goesOn = true;
  }

  /** Wherever it belongs. */
  addAlone(name: string, { start, end }: KnownNode): void {
    this.#spans.push({ first: name, last: name, start, end });
    this.#goesOn = false;
  }

  /** Something else comes between the node before and the next one. */
  interrupt(): void {
    this.#goesOn = false;
  }

  /** `tree`: the bytes of the tree that they lie in. */
  nodes(tree: Buffer): NodeSpan[] {
    return this.#spans.map(({ first, last, start, end }) => ({
      name: Buffer.from(first, 'latin1'),
      lastName: Buffer.from(last, 'latin1'),
      bytes: tree.subarray(start, end),
    }));
  }
}
