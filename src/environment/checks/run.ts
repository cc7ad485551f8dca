/**
 * Runs the declared checks against a copy. A check fails where what was seen contradicts it, and is unknown where
 * nothing could be seen: no data is never a pass.
 */
import { messageOf, systemClock } from '#base';
import type { CopyBindings } from '../bindings.ts';
import type { Check, Environment } from '../model.ts';
import { checkCommand } from './command.ts';
import { checkHttp } from './http.ts';
import { checkKeys } from './keys.ts';
import type { CheckContext, CheckResult, Seen } from './seen.ts';
import { checkSql } from './sql.ts';

export type CheckOptions = {
  signal?: AbortSignal;
  /** How long each check may take. */
  timeoutMs?: number;
  variables?: Readonly<Record<string, string | undefined>>;
};

const TIMEOUT_MS = 60_000;

/** One after the other, in the order of the file. Rejects only with the signal's reason when aborted. */
export async function runChecks(
  environment: Environment,
  bindings: CopyBindings,
  options: CheckOptions = {},
): Promise<CheckResult[]> {
  const context: CheckContext = {
    bindings,
    folder: environment.folder,
    variables: options.variables ?? process.env,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    ...(options.signal && { signal: options.signal }),
  };
  const results: CheckResult[] = [];
  for (const check of environment.checks) {
    options.signal?.throwIfAborted();
    const begunMs = systemClock.monotonicMs();
    const seen = await look(check, context);
    const tookMs = Math.round(systemClock.monotonicMs() - begunMs);
    results.push({ name: check.name, ...seen, what: hidden(seen.what, bindings), tookMs });
  }
  return results;
}

async function look(check: Check, context: CheckContext): Promise<Seen> {
  try {
    if (check.kind === 'sql') return await checkSql(check, context);
    if (check.kind === 'keys') return await checkKeys(check, context);
    if (check.kind === 'http') return await checkHttp(check, context);
    return await checkCommand(check, context);
  } catch (error) {
    context.signal?.throwIfAborted();
    return { verdict: 'unknown', what: messageOf(error) };
  }
}

function hidden(what: string, bindings: CopyBindings): string {
  let text = what;
  for (const { url } of Object.values(bindings.stores)) {
    if (url.includes('@')) text = text.replaceAll(url, '[secret]');
  }
  return text;
}
