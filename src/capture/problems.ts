/** Entries that couldn't be captured: the first thousand by name, all of them by number. */
import { shown } from './snapshot/directory.ts';

const KEPT = 1000;

export type Problem = { path: string; what: string };

export class Problems {
  readonly first: Problem[] = [];
  count = 0;
  readonly #onProblem: (path: string) => void;

  /** Told of each, by its path as a latin1 string. */
  constructor(onProblem: (path: string) => void = () => {}) {
    this.#onProblem = onProblem;
  }

  /** `path` as a latin1 string. */
  add(path: string, what: string): void {
    this.count += 1;
    this.#onProblem(path);
    if (this.first.length < KEPT) this.first.push({ path: shown(path) || '.', what });
  }
}
