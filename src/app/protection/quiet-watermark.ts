/**
 * "Until here nothing has changed", noted in the repository once an hour and at a stop: what lets a folder that nobody
 * changes be recovered to a later instant, also when the control plane is gone.
 */
import {
  listWatermarks,
  type Repository,
  removeWatermark,
  type StoreAddress,
  type Watermark,
  writeWatermark,
} from '#repository';

const EVERY_MS = 3_600_000;
const NS_PER_MS = 1_000_000n;

export class QuietWatermark {
  readonly #repository: Pick<Repository, 'sealed'>;
  readonly #address: StoreAddress;
  /** Undefined until it is looked up. */
  #noted: Watermark[] | undefined;

  constructor(repository: Pick<Repository, 'sealed'>, address: StoreAddress) {
    this.#repository = repository;
    this.#address = address;
  }

  /** Notes it where the last one, or the newest capture, is an hour old. */
  async noteIfDue(untilMs: number, capturedAtMs: number): Promise<void> {
    const lastMs = Math.max(capturedAtMs, this.#noted?.at(-1)?.atMs ?? 0);
    if (untilMs - lastMs >= EVERY_MS) await this.note(untilMs);
  }

  /** Only the newest is kept: what it says holds for all instants before it. */
  async note(untilMs: number): Promise<void> {
    const atMs = Math.floor(untilMs);
    const before = this.#noted ?? (await listWatermarks(this.#repository, this.#address));
    if (before.some((one) => one.atMs >= atMs)) return;
    const mark: Watermark = { atMs, position: { line: 0, offset: BigInt(atMs) * NS_PER_MS } };
    await writeWatermark(this.#repository, this.#address, mark);
    for (const one of before) await removeWatermark(this.#repository, this.#address, one);
    this.#noted = [mark];
  }
}
