/** Naming an instant, durably in the repository before anybody is told. */
import { systemClock, timedId } from '#base';
import { type Mark, writeMark } from '#repository';
import type { MarkRequest, Mark as MarkView } from '#server';
import type { EnvironmentProtection } from '../protection/environment-protection.ts';

export async function makeMark(
  protection: EnvironmentProtection,
  request: MarkRequest,
): Promise<MarkView> {
  const { name, stage } = protection.environment;
  const atMs = systemClock.nowMs();
  const mark: Mark = {
    id: timedId(atMs),
    environment: name,
    stage,
    kind: request.kind,
    atMs,
    ...(request.sha === undefined ? {} : { sha: request.sha }),
    ...(request.author === undefined ? {} : { author: request.author }),
    ...(request.note === undefined ? {} : { note: request.note }),
    // A mark is an instant; where each journal stood then is found from its commit times.
    positions: {},
  };
  await writeMark(protection.context.repository, mark);
  return { ...mark, positions: {} };
}
