/** Whether packs get parity, and how much: a setting of the repository, in `holdfast/settings/parity`. */
import { systemClock } from '#base';
import { errors } from '../errors.ts';
import type { SealedFiles } from '../sealed/sealed-files.ts';
import { DEFAULT_OVERHEAD, MAX_OVERHEAD, MIN_OVERHEAD } from './layout.ts';

const NAME = 'settings/parity';

/** What another session has changed is seen after this. */
const FRESH_MS = 60_000;

export type ParitySetting = {
  on: boolean;
  /** Bytes of parity as a fraction of the pack's. */
  overhead: number;
};

export class StoredParitySetting {
  readonly #sealed: SealedFiles;
  #known: { setting: ParitySetting; readMs: number } | undefined;

  constructor(sealed: SealedFiles) {
    this.#sealed = sealed;
  }

  /** Off where nobody has set it. */
  async read(): Promise<ParitySetting> {
    const nowMs = systemClock.monotonicMs();
    if (this.#known && nowMs - this.#known.readMs < FRESH_MS) return this.#known.setting;
    const bytes = await this.#sealed.readIfThere(NAME);
    const setting = bytes ? decode(bytes) : { on: false, overhead: DEFAULT_OVERHEAD };
    this.#known = { setting, readMs: nowMs };
    return setting;
  }

  /** Durable when it resolves. Throws `repository/parity-overhead`. */
  async write(setting: ParitySetting): Promise<void> {
    const { overhead } = setting;
    if (!(overhead >= MIN_OVERHEAD && overhead <= MAX_OVERHEAD)) {
      throw errors.parityOverhead([MIN_OVERHEAD * 100, MAX_OVERHEAD * 100]);
    }
    await this.#sealed.write(NAME, Buffer.from(JSON.stringify(setting)));
    this.#known = { setting, readMs: systemClock.monotonicMs() };
  }
}

function decode(bytes: Buffer): ParitySetting {
  const refuse = (why: string, cause?: unknown) =>
    errors.fileDamaged([`holdfast/${NAME}`, why], { cause });
  let json: { on?: unknown; overhead?: unknown } | null;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw refuse('it is no JSON', cause);
  }
  const { on, overhead } = json ?? {};
  if (typeof on !== 'boolean' || typeof overhead !== 'number') throw refuse('it is no setting');
  return { on, overhead: Math.min(Math.max(overhead, MIN_OVERHEAD), MAX_OVERHEAD) };
}
