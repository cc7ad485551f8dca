import { messageOf } from '#base';
import type { Check } from '../model.ts';
import type { CheckContext, Seen } from './seen.ts';

/** Asks an address of a recovered service for its status. Redirects are answers, not followed. */
export async function checkHttp(
  check: Extract<Check, { kind: 'http' }>,
  context: CheckContext,
): Promise<Seen> {
  const { services } = context.bindings;
  const base = Object.hasOwn(services, check.service) ? services[check.service]?.url : undefined;
  if (!base) return { verdict: 'unknown', what: `${check.service} was not started` };
  const timeout = AbortSignal.timeout(context.timeoutMs);
  try {
    const response = await fetch(`${base.replace(/\/+$/, '')}${check.path}`, {
      redirect: 'manual',
      signal: context.signal ? AbortSignal.any([context.signal, timeout]) : timeout,
    });
    await response.body?.cancel();
    if (response.status === check.expect) return { verdict: 'pass', what: `${response.status}` };
    return { verdict: 'fail', what: `${response.status}, expected ${check.expect}` };
  } catch (error) {
    context.signal?.throwIfAborted();
    if (timeout.aborted) return { verdict: 'unknown', what: 'no answer in time' };
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return { verdict: 'fail', what: `no answer: ${messageOf(cause) || 'connection refused'}` };
  }
}
