/** A journal that is read segment by segment, asked for whole stretches: who reads it can then look ahead. */
import type { JournalAccess } from '../../source.ts';
import type { WalPlan } from './wal-plan.ts';

type Reading = {
  line: number;
  /** Next byte that is handed on. */
  at: bigint;
  /** End of the stretch. */
  to: bigint;
  bytes: AsyncIterator<Buffer>;
  /** What was read beyond the end of what was asked for; holds until the next is read. */
  rest: Buffer;
};

export class OneReading implements Pick<JournalAccess, 'read'> {
  readonly #journal: Pick<JournalAccess, 'read'>;
  readonly #plan: WalPlan;
  #reading: Reading | undefined;

  /** What the plan takes from the journal is to be read in its order. */
  constructor(journal: Pick<JournalAccess, 'read'>, plan: WalPlan) {
    this.#journal = journal;
    this.#plan = plan;
  }

  /** As `JournalAccess.read`, of one piece of the plan. */
  async *read(line: number, from: bigint, to: bigint): AsyncGenerator<Buffer> {
    const reading = await this.#readingAt(line, from);
    while (reading.at < to) {
      if (reading.rest.length === 0) {
        const next = await reading.bytes.next();
        if (next.done) throw new Error(`the journal ended at ${reading.at} before ${reading.to}`);
        reading.rest = next.value;
      }
      const wanted = Number(to - reading.at);
      const bytes = reading.rest.subarray(0, wanted);
      reading.rest = reading.rest.subarray(wanted);
      reading.at += BigInt(bytes.length);
      yield bytes;
    }
  }

  /** Whatever is open for it may go. */
  async close(): Promise<void> {
    const reading = this.#reading;
    this.#reading = undefined;
    await reading?.bytes.return?.();
  }

  async #readingAt(line: number, from: bigint): Promise<Reading> {
    const open = this.#reading;
    if (open && open.line === line && open.at === from && from < open.to) return open;
    await this.close();
    const to = this.#stretchEnd(line, from);
    const bytes = this.#journal.read(line, from, to)[Symbol.asyncIterator]();
    this.#reading = { line, at: from, to, bytes, rest: Buffer.alloc(0) };
    return this.#reading;
  }

  /** Of what follows in the plan without a break. */
  #stretchEnd(line: number, from: bigint): bigint {
    let to = from;
    for (const piece of this.#plan.segments.flatMap(({ pieces }) => pieces)) {
      const follows = piece.from.kind === 'journal' && piece.from.line === line;
      if (follows && piece.start === to) to = piece.end;
    }
    return to;
  }
}
