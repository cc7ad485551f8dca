/** Entries that couldn't be captured: the first thousand by name, all of them by number. */
import { shown } from './snapshot/tree-builder.ts';

const KEPT = 1000;

export type Problem = { path: string; what: string };

export class Problems {
  readonly first: Problem[] = [];
  count = 0;

  /** `path` as a latin1 string. */
  add(path: string, what: string): void {
    this.count += 1;
    if (this.first.length < KEPT) this.first.push({ path: shown(path) || '.', what });
  }
}
