/** Threads that answer for lazy folders. One takes as long to start as laying a folder out: a service has one at hand. */
import { Worker } from 'node:worker_threads';
import type { FolderThreadData } from './messages.ts';

let spare: Worker | undefined;

/** Starts one that waits for work, where none does. Keeps no process alive. */
export function keepSpareThread(): void {
  if (spare) return;
  const thread = startThread();
  thread.unref();
  const forget = () => {
    if (spare === thread) spare = undefined;
  };
  thread.once('error', forget).once('exit', forget);
  spare = thread;
}

/** Begins to answer at once, or as soon as it has started. */
export function takeFolderThread(data: FolderThreadData): Worker {
  const thread = spare ?? startThread();
  spare = undefined;
  thread.ref();
  thread.postMessage(data);
  return thread;
}

function startThread(): Worker {
  return new Worker(new URL('./folder-thread.ts', import.meta.url), {
    // What it opens may be closed elsewhere, and the number be another's when the thread ends: it must not close that.
    trackUnmanagedFds: false,
  });
}
