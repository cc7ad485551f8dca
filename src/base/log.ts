/** Structured logs on standard error. Secrets never get here: callers pass facts, not configurations. */
import { pino } from 'pino';

export type Logger = {
  debug(facts: Record<string, unknown>, message: string): void;
  info(facts: Record<string, unknown>, message: string): void;
  warn(facts: Record<string, unknown>, message: string): void;
  error(facts: Record<string, unknown>, message: string): void;
  child(facts: Record<string, unknown>): Logger;
};

export function createLogger(options: { level?: string; destination?: string } = {}): Logger {
  return pino(
    { level: options.level ?? process.env.HOLDFAST_LOG ?? 'warn', base: null },
    pino.destination({ dest: options.destination ?? 2, sync: true, mkdir: true, mode: 0o600 }),
  );
}

export const quietLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => quietLogger,
};
