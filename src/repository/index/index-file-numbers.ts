/** Index files by small numbers, which the table keeps for each pack. */

export class IndexFileNumbers {
  readonly #numbers = new Map<string, number>();
  #next = 0;

  constructor(known: ReadonlyMap<number, string> = new Map()) {
    for (const [number, id] of known) {
      this.#numbers.set(id, number);
      this.#next = Math.max(this.#next, number + 1);
    }
  }

  has(id: string): boolean {
    return this.#numbers.has(id);
  }

  /** Its number; the same again where it is known. */
  add(id: string): number {
    const known = this.#numbers.get(id);
    if (known !== undefined) return known;
    this.#numbers.set(id, this.#next);
    this.#next += 1;
    return this.#next - 1;
  }

  ids(): Iterable<string> {
    return this.#numbers.keys();
  }

  byNumber(): Map<number, string> {
    return new Map([...this.#numbers].map(([id, number]) => [number, id]));
  }
}
