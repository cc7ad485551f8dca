import type { ResolvedTarget, Target } from '../../source.ts';
import { errors } from '../errors.ts';
import { formatLsn } from '../lsn.ts';
import type { WalEvent } from './event.ts';

/** Names of restore points that are told where the wanted one isn't there. */
const MOST_NAMES = 20;

type Commits = Pick<ResolvedTarget, 'lastCommitMs' | 'firstLeftBehindMs' | 'leftBehindCommits'>;

/** Looks for the target while the WAL's events go by, and counts what lies after it. */
export class Search {
  /** Where the target lies, once it was met. */
  found: bigint | undefined;
  readonly commits: Commits = { leftBehindCommits: 0 };
  /** Restore points seen, the newest ones. */
  readonly names = new Set<string>();
  readonly #target: Target;
  readonly #baseEnd: bigint;

  constructor(target: Target, baseEnd: bigint) {
    this.#target = target;
    this.#baseEnd = baseEnd;
  }

  /** @throws postgres/instant-before-base */
  take(event: WalEvent): void {
    if (event.kind === 'restore-point') this.#noteName(event.name);
    this.found ??= this.#meets(event);
    if (event.kind !== 'commit') return;
    if (this.found !== undefined && event.start >= this.found) {
      this.commits.firstLeftBehindMs ??= event.atMs;
      this.commits.leftBehindCommits += 1;
    } else {
      this.commits.lastCommitMs = event.atMs;
    }
  }

  #meets(event: WalEvent): bigint | undefined {
    const target = this.#target;
    switch (target.kind) {
      case 'time':
        if (event.kind !== 'commit' || event.atMs <= target.atMs) return undefined;
        // The base holds this commit already, and so it can't be left out.
        if (event.start < this.#baseEnd) {
          const instant = new Date(target.atMs).toISOString();
          throw errors.instantBeforeBase([instant, formatLsn(this.#baseEnd)]);
        }
        return event.start;
      case 'position':
        return event.start >= target.position.offset ? target.position.offset : undefined;
      case 'name': {
        const isIt = event.kind === 'restore-point' && event.name === target.name;
        return isIt && event.end >= this.#baseEnd ? event.end : undefined;
      }
      case 'end':
        return undefined;
    }
  }

  #noteName(name: string): void {
    this.names.delete(name);
    this.names.add(name);
    const [oldest] = this.names;
    if (this.names.size > MOST_NAMES && oldest !== undefined) this.names.delete(oldest);
  }
}
