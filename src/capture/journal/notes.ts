/** What is recorded of a journal beside its bytes: lines, gaps, watermarks. */
import { type Clock, timedId } from '#base';
import {
  type JournalGap,
  type JournalLine,
  listWatermarks,
  type Position,
  type Repository,
  readGaps,
  removeWatermark,
  type StoreAddress,
  type Watermark,
  writeGap,
  writeLine,
  writeWatermark,
} from '#repository';

export class JournalNotes {
  readonly #repository: Pick<Repository, 'sealed'>;
  readonly #address: StoreAddress;
  readonly #clock: Clock;
  readonly #gaps: JournalGap[];
  #lastWatermark: Watermark | undefined;

  private constructor(
    repository: Pick<Repository, 'sealed'>,
    address: StoreAddress,
    clock: Clock,
    gaps: JournalGap[],
    lastWatermark: Watermark | undefined,
  ) {
    this.#repository = repository;
    this.#address = address;
    this.#clock = clock;
    this.#gaps = gaps;
    this.#lastWatermark = lastWatermark;
  }

  static async load(
    repository: Pick<Repository, 'sealed'>,
    address: StoreAddress,
    clock: Clock,
  ): Promise<JournalNotes> {
    const gaps = await readGaps(repository, address);
    const lastWatermark = (await listWatermarks(repository, address)).at(-1);
    return new JournalNotes(repository, address, clock, gaps, lastWatermark);
  }

  get gaps(): readonly JournalGap[] {
    return this.#gaps;
  }
  get lastWatermark(): Watermark | undefined {
    return this.#lastWatermark;
  }

  async line(line: JournalLine): Promise<void> {
    await writeLine(this.#repository, this.#address, line);
  }

  /** `lostFromMs`: the latest instant (Holdfast's clock) that is still whole before the gap. */
  async gap(
    gap: { from: Position; to?: Position; because: string },
    lostFromMs: number,
  ): Promise<void> {
    const nowMs = this.#clock.nowMs();
    const record: JournalGap = {
      id: timedId(nowMs),
      address: this.#address,
      from: gap.from,
      ...(gap.to && { to: gap.to, toMs: nowMs }),
      fromMs: Math.min(lostFromMs, nowMs),
      because: gap.because,
    };
    await writeGap(this.#repository, record);
    this.#gaps.push(record);
  }

  /** Notes where the journal goes on after a gap that had no end yet. Gaps of other lines are ended too. */
  async goesOn(at: Position): Promise<void> {
    for (const gap of this.#gaps) {
      if (gap.to) continue;
      const ended = { ...gap, to: at, toMs: this.#clock.nowMs() };
      await writeGap(this.#repository, ended);
      Object.assign(gap, ended);
    }
  }

  get hasOpenGap(): boolean {
    return this.#gaps.some((gap) => gap.to === undefined);
  }

  /** One for each position is enough: the one before, of the same position, goes. */
  async watermark(watermark: Watermark): Promise<void> {
    await writeWatermark(this.#repository, this.#address, watermark);
    const before = this.#lastWatermark;
    this.#lastWatermark = watermark;
    const same =
      before !== undefined &&
      before.position.line === watermark.position.line &&
      before.position.offset === watermark.position.offset;
    if (same && before.atMs !== watermark.atMs)
      await removeWatermark(this.#repository, this.#address, before);
  }
}
