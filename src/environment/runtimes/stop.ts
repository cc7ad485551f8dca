/** Ending what was started, all of it and nothing else. */
import { isSameProcess, sleepMs, systemClock } from '#base';
import { groupMembers, markedProcesses } from './marked-processes.ts';

/** What identifies a started service: kept as `startedAt` by whoever keeps it. */
export type StartedProcess = {
  pid: number;
  mark: string;
  began: string;
};

export const formatStarted = ({ mark, began }: StartedProcess): string => `${mark}@${began}`;

export function parseStarted(pid: number, startedAt: string): StartedProcess {
  const at = startedAt.indexOf('@');
  return { pid, mark: startedAt.slice(0, at), began: startedAt.slice(at + 1) };
}

const POLITE_MS = 10_000;
const FORCED_MS = 5_000;
const LOOK_EVERY_MS = 40;

/**
 * Asks by SIGTERM, then ends by SIGKILL. False where something still lives after both. May be called again and again,
 * also when nothing of it runs any more. A process that merely has the number is left alone.
 */
export async function stopProcesses(
  started: StartedProcess,
  politeMs: number = POLITE_MS,
): Promise<boolean> {
  for (const [signal, waitMs] of [
    ['SIGTERM', politeMs],
    ['SIGKILL', FORCED_MS],
  ] as const) {
    const untilMs = systemClock.monotonicMs() + waitMs;
    let told = new Set<number>();
    for (;;) {
      const living = await livingOf(started);
      if (living.length === 0) return true;
      // Children that appeared meanwhile are told too; nobody is told twice.
      for (const pid of living.filter((each) => !told.has(each))) sendSignal(pid, signal);
      told = new Set(living);
      if (systemClock.monotonicMs() > untilMs) break;
      await sleepMs(LOOK_EVERY_MS);
    }
  }
  return (await livingOf(started)).length === 0;
}

/** Whether any process of it lives. */
export async function isAlive(started: StartedProcess): Promise<boolean> {
  return (await livingOf(started)).length > 0;
}

async function livingOf({ pid, mark, began }: StartedProcess): Promise<number[]> {
  const marked = await markedProcesses(mark);
  const isLeader = began !== '' && (await isSameProcess(pid, began));
  return isLeader ? [...new Set([...marked, ...(await groupMembers(pid))])] : marked;
}

function sendSignal(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself since it was seen; whether it lives is asked again anyway.
  }
}
