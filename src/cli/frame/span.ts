import { parseDurationMs } from '#base';
import { errors } from '../errors.ts';

/** An option that is a span: ms. `command` is named where it isn't. Throws `cli/usage`. */
export function spanFrom(
  given: unknown,
  { option, example, command, leastMs = 1 }: SpanOption,
): number {
  const ms = parseDurationMs(String(given));
  if (ms !== undefined && ms >= leastMs) return ms;
  throw errors.usage([`${option} wants a span such as ${example}`, command]);
}

type SpanOption = { option: string; example: string; command: string; leastMs?: number };
