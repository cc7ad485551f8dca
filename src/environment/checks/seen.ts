/** What every kind of check is given, and what it answers. */
import type { CopyBindings } from '../bindings.ts';

export type CheckVerdict = 'pass' | 'fail' | 'unknown';

/** What one check saw; `what` is one line for a person and holds no secret. */
export type Seen = { verdict: CheckVerdict; what: string };

export type CheckResult = Seen & { name: string; tookMs: number };

export type CheckContext = {
  bindings: CopyBindings;
  /** Where the file lies: command lines run there. */
  folder: string;
  variables: Readonly<Record<string, string | undefined>>;
  timeoutMs: number;
  signal?: AbortSignal;
};
