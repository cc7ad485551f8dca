const WINDOW = 256;

/** Takes items a window at a time, so that whoever works on one can see what comes after it. */
export class Lookahead<T> {
  readonly #items: Iterator<T>;
  #window: T[] = [];
  #at = 0;

  constructor(items: Iterable<T>) {
    this.#items = items[Symbol.iterator]();
  }

  next(): T | undefined {
    if (this.#at === this.#window.length) this.#fill();
    const item = this.#window[this.#at];
    if (item !== undefined) this.#at += 1;
    return item;
  }

  /** What follows the item that `next` gave last, as far as it is known already. */
  *following(): Iterable<T> {
    for (let at = this.#at; at < this.#window.length; at += 1) yield this.#window[at] as T;
  }

  #fill(): void {
    this.#window = [];
    this.#at = 0;
    while (this.#window.length < WINDOW) {
      const item = this.#items.next();
      if (item.done) return;
      this.#window.push(item.value);
    }
  }
}
