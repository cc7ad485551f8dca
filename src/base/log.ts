/** Structured logs on standard error. Secrets never get here: callers pass facts, not configurations. */
import { createRequire } from 'node:module';

export type Logger = {
  debug(facts: Record<string, unknown>, message: string): void;
  info(facts: Record<string, unknown>, message: string): void;
  warn(facts: Record<string, unknown>, message: string): void;
  error(facts: Record<string, unknown>, message: string): void;
  child(facts: Record<string, unknown>): Logger;
};

export function createLogger(options: { level?: string; destination?: string } = {}): Logger {
  // Loaded here: threads and most commands have no log.
  const { pino } = createRequire(import.meta.url)('pino') as typeof import('pino');
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
