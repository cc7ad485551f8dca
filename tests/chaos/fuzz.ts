/**
 * Coverage-guided fuzzing of all decoders: inputs are changed by chance, and those that reach what none reached before
 * are changed further.
 */
import { HoldfastError, messageOf } from '#base';
import type { Campaign, CampaignOptions, CampaignReport } from './campaign.ts';
import { Chance } from './chance.ts';
import { Coverage } from './coverage.ts';
import { allDecoders, type Decoder } from './decoders.ts';
import { mutate, splice } from './mutate.ts';
import { HangWatch } from './watch-for-hangs.ts';

/** Coverage is asked for once for so many inputs, and again for each where code ran that never did. */
const BATCH = 128;
/** One batch in so many is looked at closely all the same: for how often a loop runs. */
const CLOSE_LOOK = 8;
const MAX_CHANGES = 8;
const MAX_INPUT_BYTES = 64 * 1024;
/** One decoder that fails in many ways is mended before the rest is told. */
const MAX_FAILURES = 10;

export const fuzz: Campaign = {
  summary: 'change inputs of every decoder, guided by coverage (of each: count inputs, or minutes)',
  count: 20_000,
  run: fuzzAll,
};

async function fuzzAll(options: CampaignOptions): Promise<CampaignReport> {
  // First: V8 counts blocks of a function only where it was first run while they were counted.
  const coverage = new Coverage();
  const decoders = (await allDecoders()).filter(
    ({ name }) => options.only === undefined || name === options.only,
  );
  const hangs = new HangWatch();
  const figures: CampaignReport['figures'] = {};
  const failures: string[] = [];
  try {
    for (const decoder of decoders) {
      const one = new Fuzzing(decoder, coverage, hangs, new Chance(options.seed));
      await one.run(options);
      figures[decoder.name] = one.inputs;
      options.note(one.told());
      failures.push(...one.failures.values());
    }
  } finally {
    await hangs.close();
    coverage.close();
  }
  figures['places of code reached, by magnitude'] = coverage.seen;
  figures['MiB of memory at most'] = Math.round(process.resourceUsage().maxRSS / 1024);
  return { figures, failures };
}

/** A campaign's minutes are what it had of a processor: beside other work it tries as much as alone. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

class Fuzzing {
  inputs = 0;
  /** By where they came from. */
  readonly failures = new Map<string, string>();
  readonly #decoder: Decoder;
  readonly #coverage: Coverage;
  readonly #hangs: HangWatch;
  readonly #chance: Chance;
  readonly #corpus: Buffer[];
  readonly #seenBefore: number;
  #refused = 0;
  #slowestMs = 0;

  constructor(decoder: Decoder, coverage: Coverage, hangs: HangWatch, chance: Chance) {
    this.#decoder = decoder;
    this.#coverage = coverage;
    this.#hangs = hangs;
    this.#chance = chance;
    this.#corpus = [...decoder.seeds];
    this.#seenBefore = coverage.seen;
  }

  async run({ count, minutes }: CampaignOptions): Promise<void> {
    const endMs = minutes === undefined ? undefined : processorMs() + minutes * 60_000;
    this.#coverage.skip();
    for (const seed of this.#corpus) await this.#decode(seed);
    this.#coverage.add();
    const goesOn = () => (endMs === undefined ? this.inputs < count : processorMs() < endMs);
    while (goesOn() && this.failures.size < MAX_FAILURES) await this.#batch();
  }

  told(): string {
    const places = this.#coverage.seen - this.#seenBefore;
    return `${this.#decoder.name}: ${this.inputs} inputs, ${this.#refused} refused, ${this.#corpus.length} kept, ${places} places, slowest ${Math.round(this.#slowestMs)} ms`;
  }

  async #batch(): Promise<void> {
    const inputs = Array.from({ length: BATCH }, () => this.#next());
    this.#coverage.skip();
    for (const input of inputs) await this.#decode(input);
    const isNew = this.#coverage.ranNewCode();
    if (!isNew && this.#chance.below(CLOSE_LOOK) > 0) return;
    for (const input of inputs) {
      await this.#decode(input);
      if (this.#coverage.add() > 0) this.#corpus.push(input);
    }
  }

  #next(): Buffer {
    const chance = this.#chance;
    let input = chance.oneOf(this.#corpus);
    if (chance.below(8) === 0) input = splice(input, chance.oneOf(this.#corpus), chance);
    for (let left = 1 + chance.below(MAX_CHANGES); left > 0; left -= 1) {
      input = mutate(input, chance);
    }
    const { mend } = this.#decoder;
    if (mend && chance.below(2) === 0) input = mend(input);
    return input.subarray(0, MAX_INPUT_BYTES);
  }

  async #decode(input: Buffer): Promise<void> {
    this.inputs += 1;
    this.#hangs.begin(input);
    const startedMs = performance.now();
    try {
      await this.#decoder.decode(input);
    } catch (error) {
      if (error instanceof HoldfastError) this.#refused += 1;
      else this.#fail(input, error);
    }
    this.#slowestMs = Math.max(this.#slowestMs, performance.now() - startedMs);
    this.#hangs.end();
  }

  #fail(input: Buffer, error: unknown): void {
    const where = error instanceof Error ? (error.stack?.split('\n')[1] ?? '').trim() : '';
    const told = `${this.#decoder.name}: ${messageOf(error)} ${where}`;
    if (this.failures.has(told)) return;
    this.failures.set(told, `${told}, for ${input.toString('base64')}`);
  }
}
