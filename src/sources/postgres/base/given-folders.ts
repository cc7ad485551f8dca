import type { CaptureEvent } from '../../source.ts';
import { directory, type Owner } from './made-entries.ts';

/** Folders of a base that were given: each once, and before what lies in it. Paths as latin1 text. */
export class GivenFolders {
  readonly #given = new Set<string>();

  /** False where it was given before. */
  add(path: string): boolean {
    if (this.#given.has(path)) return false;
    this.#given.add(path);
    return true;
  }

  /** `pg_tblspc/16384/` gives `pg_tblspc` and `pg_tblspc/16384`. */
  *above(path: string, owner: Owner): Generator<CaptureEvent> {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      const folder = path.slice(0, slash);
      if (this.add(folder)) yield directory(folder, owner);
    }
  }
}
