/** A campaign: something is done to Holdfast many times by chance, and what must hold is counted. */

export type CampaignOptions = {
  /** How many times. */
  count: number;
  /** So long instead, where a campaign can: of each part. */
  minutes?: number;
  /** Only this part of it. */
  only?: string;
  /** The same seed does the same again. */
  seed: number;
  /** One line for whoever waits. */
  note: (line: string) => void;
};

export type CampaignReport = {
  /** What was done and what came of it, in the order in which it is printed. */
  figures: Record<string, number | string>;
  /** What must never be, one sentence each, with what it takes to see it again. */
  failures: string[];
};

export type Campaign = {
  summary: string;
  /** How many times without `--count`. */
  count: number;
  run(options: CampaignOptions): Promise<CampaignReport>;
};

/** Counts by name, printed in the order in which the names came first. */
export class Figures {
  readonly #counts = new Map<string, number>();

  add(name: string, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
  }

  get(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  toJSON(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}
