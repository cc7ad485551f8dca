/** Runs the commands around a capture. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { messageOf, parseDurationMs, sleepMs, systemClock } from '#base';
import type { FilesHooks } from './config.ts';

export type HookOutcome =
  | { ok: true; tookMs: number }
  /** `because` completes "the before hook …". */
  | { ok: false; because: string };

// Enough for a message; a hook that prints without end must not fill the memory.
const KEPT_OUTPUT_BYTES = 2_048;
const LAST_WORDS_MS = 250;

/**
 * Runs one command by `sh -c`, in a process group of its own that is killed whole at the time limit or when aborted.
 * Never rejects. Nothing of Holdfast's own environment (it may hold the repository's password) is handed on but the
 * store's name and path.
 */
export async function runHook(
  which: 'before' | 'after',
  hooks: FilesHooks,
  store: { name: string; path: string },
  signal?: AbortSignal,
): Promise<HookOutcome> {
  const command = hooks[which];
  if (command === undefined) return { ok: true, tookMs: 0 };
  if (signal?.aborted) return { ok: false, because: 'was not run: interrupted' };
  const startMs = systemClock.monotonicMs();
  const child = spawn('/bin/sh', ['-c', command], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: hookEnvironment(which, store),
  });
  let stoppedBecause: string | undefined;
  const stop = (because: string) => {
    stoppedBecause ??= because;
    killGroup(child.pid);
  };
  const timeoutMs = parseDurationMs(hooks.timeout) ?? 300_000;
  const timer = setTimeout(() => stop(`took longer than ${hooks.timeout}`), timeoutMs);
  const onAbort = () => stop('was interrupted');
  signal?.addEventListener('abort', onAbort, { once: true });
  const output = collectOutput([child.stdout, child.stderr]);
  try {
    const closed = once(child, 'close');
    const [code, killedBy] = (await once(child, 'exit')) as [number | null, string | null];
    // The last words may still be on their way; but a daemon that the hook leaves behind may hold the pipes for ever.
    await Promise.race([closed, sleepMs(LAST_WORDS_MS)]);
    if (stoppedBecause !== undefined) return { ok: false, because: stoppedBecause };
    if (code === 0) return { ok: true, tookMs: systemClock.monotonicMs() - startMs };
    const how = code === null ? `was ended by ${killedBy}` : `ended with ${code}`;
    return { ok: false, because: `${how}${output() && `: ${output()}`}` };
  } catch (error) {
    return { ok: false, because: `could not be started: ${messageOf(error)}` };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

function hookEnvironment(which: string, store: { name: string; path: string }): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('HOLDFAST_'));
  return {
    ...Object.fromEntries(own),
    HOLDFAST_HOOK: which,
    HOLDFAST_STORE: store.name,
    HOLDFAST_PATH: store.path,
  };
}

function collectOutput(streams: readonly NodeJS.ReadableStream[]): () => string {
  let text = '';
  for (const stream of streams) {
    stream.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-KEPT_OUTPUT_BYTES);
    });
  }
  return () => text.trim();
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended by itself in the meantime.
  }
}
