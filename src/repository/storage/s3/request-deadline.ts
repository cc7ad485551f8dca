/** How long one request may take: a time for the answer, and more for its bytes. */

const ANSWER_WITHIN_MS = 90_000;

/** Whoever is slower for its whole length is as good as gone. */
const LEAST_BYTES_PER_MS = 32;

export class RequestDeadline {
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout;
  hasPassed = false;

  constructor(bytes: number) {
    this.#timer = this.#start(bytes);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Begins anew, when the answer has told how long it is. */
  restart(bytes: number): void {
    clearTimeout(this.#timer);
    this.#timer = this.#start(bytes);
  }

  /** Ends the request at once. */
  abort(): void {
    this.#abort.abort();
  }

  clear(): void {
    clearTimeout(this.#timer);
  }

  #start(bytes: number): NodeJS.Timeout {
    return setTimeout(
      () => {
        this.hasPassed = true;
        this.#abort.abort();
      },
      ANSWER_WITHIN_MS + bytes / LEAST_BYTES_PER_MS,
    );
  }
}
