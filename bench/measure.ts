/** Runs whole commands and measures them from outside: wall time, processor time, peak memory. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { processStateOf } from '#base';

export type Measured = { wallMs: number; cpuMs: number; peakBytes: number };

const POLL_MS = 20;
const TICKS_PER_SECOND = 100;

type ProcessFacts = { peakBytes: number; cpuMs: number };

/** Of a running process; undefined when it has just ended. Children count once they have been waited for. */
function factsOf(pid: number): ProcessFacts | undefined {
  try {
    const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    const { processorTicks } = processStateOf(stat);
    const cpuMs = (processorTicks * 1000) / TICKS_PER_SECOND;
    return { peakBytes: Number(peak ?? 0) * 1024, cpuMs };
  } catch {
    // Between its end and our hearing of it there is nothing to read.
    return undefined;
  }
}

/** The command run as the user that a Postgres server runs as; as it is where we are that user already. */
export function asUser(user: OsUser, command: readonly string[]): readonly string[] {
  if (user.isCurrent) return command;
  return [
    'setpriv',
    '--reuid',
    `${user.uid}`,
    '--regid',
    `${user.gid}`,
    '--clear-groups',
    ...command,
  ];
}

export type OsUser = { uid: number; gid: number; isCurrent: boolean };

/** Rejects with what the command said where it ends with another code. */
export function measure(
  command: readonly string[],
  env: Record<string, string> = {},
  expectedCode = 0,
): Promise<Measured> {
  const [program, ...words] = command;
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const child = spawn(program as string, words, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said = (said + text).slice(-2_000);
    });
    let last: ProcessFacts = { peakBytes: 0, cpuMs: 0 };
    const look = () => {
      const now = child.pid === undefined ? undefined : factsOf(child.pid);
      if (!now) return;
      // What has ended and isn't waited for yet tells its time, but no memory any more.
      last = { cpuMs: now.cpuMs, peakBytes: Math.max(last.peakBytes, now.peakBytes) };
    };
    const timer = setInterval(look, POLL_MS);
    child.on('error', reject);
    child.on('close', (code) => {
      clearInterval(timer);
      const wallMs = performance.now() - begun;
      if (code === expectedCode) resolve({ wallMs, ...last });
      else reject(new Error(`${command.join(' ')} ended with ${code}: ${said}`));
    });
  });
}

const TMPFS_MAGIC = 0x0102_1994;
const PIECE_BYTES = 1024 * 1024;

/**
 * Fills so much of a file system that lies in memory, and frees it again; others are left alone. In a virtual machine
 * the host gives pages to whoever touches them first: without it, that one pays seconds for what all others find.
 */
export function touchMemoryOf(folder: string, bytes: number): void {
  if (fs.statfsSync(folder).type !== TMPFS_MAGIC) return;
  const file = path.join(folder, 'touched');
  const zeros = Buffer.alloc(PIECE_BYTES);
  const handle = fs.openSync(file, 'w', 0o600);
  try {
    for (let at = 0; at < bytes; at += zeros.length) fs.writeSync(handle, zeros);
  } finally {
    fs.closeSync(handle);
    fs.rmSync(file);
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length % 2 === 1) return sorted[middle] as number;
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

export function medianOf(runs: readonly Measured[]): Measured {
  return {
    wallMs: median(runs.map((run) => run.wallMs)),
    cpuMs: median(runs.map((run) => run.cpuMs)),
    peakBytes: median(runs.map((run) => run.peakBytes)),
  };
}

/** Bytes of all files below a folder. */
export function sizeOf(folder: string): number {
  let total = 0;
  for (const entry of fs.readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) total += fs.statSync(`${entry.parentPath}/${entry.name}`).size;
  }
  return total;
}
