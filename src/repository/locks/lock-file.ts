/** Files of `locks/`: who uses the repository, and whether alone. */
import os from 'node:os';
import { systemClock, systemCode } from '#base';
import { goTime, goTimeMs } from '../snapshots/go-time.ts';

export type LockKind = 'shared' | 'exclusive';

export type LockFile = {
  timeMs: number;
  exclusive: boolean;
  hostname: string;
  username: string;
  pid: number;
};

/** Older ones weren't refreshed for long; whoever made them is gone or has given up. */
const STALE_AGE_MS = 30 * 60_000;

export function encodeLock(kind: LockKind): string {
  const user = os.userInfo();
  return JSON.stringify({
    time: goTime(systemClock.nowMs()),
    exclusive: kind === 'exclusive',
    hostname: os.hostname(),
    username: user.username,
    pid: process.pid,
    uid: Math.max(user.uid, 0) || undefined,
    gid: Math.max(user.gid, 0) || undefined,
  });
}

/** Undefined where the JSON is no lock. */
export function decodeLock(json: unknown): LockFile | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  const { time, exclusive, hostname, username, pid } = json as Record<string, unknown>;
  const timeMs = goTimeMs(String(time));
  if (Number.isNaN(timeMs)) return undefined;
  return {
    timeMs,
    exclusive: exclusive === true,
    hostname: String(hostname ?? ''),
    username: String(username ?? ''),
    pid: Number(pid ?? 0),
  };
}

/** Over 30 min old, or of a process of this host that isn't there any more. */
export function isStale(lock: LockFile): boolean {
  if (systemClock.nowMs() - lock.timeMs > STALE_AGE_MS) return true;
  return lock.hostname === os.hostname() && !processLives(lock.pid);
}

/** For messages: `exclusively by PID 4711 of root on build-3 since 10:42:07Z`. */
export function describeLock(lock: LockFile): string {
  const how = lock.exclusive ? 'exclusively ' : '';
  return `${how}by PID ${lock.pid} of ${lock.username} on ${lock.hostname} since ${goTime(lock.timeMs)}`;
}

function processLives(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== 'ESRCH';
  }
}
