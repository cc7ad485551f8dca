/** A journal sink in memory for tests: keeps every byte, refuses contradictions, is durable when it is told to be. */
import { EventEmitter } from 'node:events';
import type { JournalAccess, JournalPosition, JournalSink, JournalState } from '../../source.ts';

type Run = { line: number; from: bigint; to: bigint; parts: Buffer[] };
type Gap = Parameters<JournalSink['gap']>[0];
type Heard = Parameters<JournalSink['heard']>[0];
type Line = Parameters<JournalSink['lineStarted']>[0];

export class MemorySink implements JournalSink {
  readonly runs: Run[] = [];
  readonly gaps: Gap[] = [];
  readonly lines: Line[] = [];
  readonly states: JournalState[] = [];
  readonly heardAt: Heard[] = [];
  /** Until when what came is said to be whole. */
  completeThroughMs = 0;
  /** Whether what comes counts as durable at once. */
  isDurable = true;
  #durable: JournalPosition | undefined;
  /** By a gap: what comes behind it is no part of what came before, though it may begin where that ended. */
  #isCut = false;
  readonly #events = new EventEmitter();
  #hold: PromiseWithResolvers<void> | undefined;

  readonly onState = (state: JournalState): void => {
    this.states.push(state);
  };

  append(line: number, offset: bigint, bytes: Uint8Array, completeThroughMs: number): void {
    this.completeThroughMs = Math.max(this.completeThroughMs, completeThroughMs);
    const last = this.runs.at(-1);
    if (!this.#isCut && last?.line === line && last.to === offset) {
      last.parts.push(Buffer.from(bytes));
      last.to += BigInt(bytes.length);
    } else {
      const to = offset + BigInt(bytes.length);
      this.runs.push({ line, from: offset, to, parts: [Buffer.from(bytes)] });
      this.#isCut = false;
    }
    if (this.isDurable) this.makeDurable();
  }

  /** Everything that came is durable now. */
  makeDurable(): void {
    const end = this.end;
    if (end === undefined) return;
    this.#durable = end;
    this.#events.emit('flushable');
  }

  /** Takes nothing more until released. */
  hold(): void {
    this.#hold ??= Promise.withResolvers();
  }

  release(): void {
    this.#hold?.resolve();
    this.#hold = undefined;
  }

  async ready(): Promise<void> {
    await this.#hold?.promise;
  }

  async lineStarted(line: Line): Promise<void> {
    this.lines.push(line);
  }

  async gap(gap: Gap): Promise<void> {
    this.gaps.push(gap);
    this.#isCut = true;
  }

  heard(at: Heard): void {
    this.heardAt.push(at);
  }

  resumeFrom(): JournalPosition | undefined {
    return this.#durable;
  }

  flushable(): JournalPosition | undefined {
    return this.#durable;
  }

  onFlushable(listener: () => void): () => void {
    this.#events.on('flushable', listener);
    return () => this.#events.off('flushable', listener);
  }

  /** End of what came last. */
  get end(): JournalPosition | undefined {
    const last = this.runs.at(-1);
    return last && { line: last.line, offset: last.to };
  }

  has(state: JournalState['state']): boolean {
    return this.states.some((one) => one.state === state);
  }

  get state(): JournalState['state'] | undefined {
    return this.states.at(-1)?.state;
  }

  /** What came, as a recovery reads it. Later runs win: they are of the server that is followed. */
  access(): JournalAccess {
    const covering = (line: number, at: bigint) =>
      this.runs.findLast((run) => run.line === line && run.from <= at && at < run.to);
    const { lines } = this;
    return {
      async contiguousEnd({ line, offset }) {
        let end = offset;
        for (let run = covering(line, end); run; run = covering(line, end)) end = run.to;
        return end;
      },
      async *read(line, from, to) {
        for (let at = from; at < to; ) {
          const run = covering(line, at);
          if (!run) throw new Error(`nothing at ${at} of line ${line}`);
          const bytes = Buffer.concat(run.parts).subarray(
            Number(at - run.from),
            Number((to < run.to ? to : run.to) - run.from),
          );
          at += BigInt(bytes.length);
          // In pieces, as a repository hands them out.
          for (let piece = 0; piece < bytes.length; piece += 100_000) {
            yield bytes.subarray(piece, piece + 100_000);
          }
        }
      },
      lines: async () => lines,
    };
  }
}
