/** Gathers what a restore did and what it couldn't do, within a bound of memory. */
import { formatCount, type MetadataFailure } from '#base';
import { showName } from './paths.ts';
import type { RestoreProblem, RestoreResult } from './request.ts';

const KEPT_PROBLEMS = 1_000;

export class RestoreReport {
  files = 0;
  bytes = 0;
  /** What had to be written for that. */
  writtenBytes = 0;
  entries = 0;
  skipped = 0;
  removed = 0;
  sockets = 0;
  #ownersLost = 0;
  #privilegedXattrsLost = 0;
  #problemCount = 0;
  readonly #problems: RestoreProblem[] = [];
  readonly #isRoot: boolean;

  constructor(isRoot: boolean) {
    this.#isRoot = isRoot;
  }

  problem(path: string, what: string): void {
    this.#problemCount += 1;
    if (this.#problems.length < KEPT_PROBLEMS) this.#problems.push({ path: showName(path), what });
  }

  /** What only root may set is noted once for all; anything else that failed is a problem of its entry. */
  metadataFailures(path: string, failures: readonly MetadataFailure[]): void {
    for (const { part, code, attribute } of failures) {
      if (part === 'owner' && code === 'EPERM' && !this.#isRoot) this.#ownersLost += 1;
      else if (code === 'EPERM' && !this.#isRoot && isPrivileged(attribute)) {
        this.#privilegedXattrsLost += 1;
      } else this.problem(path, `${PART_NAMES[part]}${attribute ?? ''} could not be set: ${code}`);
    }
  }

  result(): RestoreResult {
    return {
      files: this.files,
      bytes: this.bytes,
      writtenBytes: this.writtenBytes,
      entries: this.entries,
      skipped: this.skipped,
      removed: this.removed,
      problems: this.#problems,
      problemCount: this.#problemCount,
      notes: this.#notes(),
    };
  }

  #notes(): string[] {
    const notes: string[] = [];
    const owners = this.#ownersLost;
    if (owners > 0) {
      notes.push(
        `${formatCount(owners)} entries belong to the current user, without setuid and setgid: only root can give them back to their owners`,
      );
    }
    const attributes = this.#privilegedXattrsLost;
    if (attributes > 0) {
      notes.push(
        `${formatCount(attributes)} attributes of security.* and trusted.*, or flags of chattr, were left out: only root can set them`,
      );
    }
    if (this.sockets > 0) {
      notes.push(
        `${formatCount(this.sockets)} sockets were left out: the process that listens makes them`,
      );
    }
    return notes;
  }
}

const PART_NAMES: Record<MetadataFailure['part'], string> = {
  owner: 'the owner',
  permissions: 'the permissions',
  xattr: 'the attribute ',
  times: 'the times',
};

function isPrivileged(attribute: string | undefined): boolean {
  return /^(security|trusted|holdfast)\./.test(attribute ?? '');
}
