/**
 * Linux's inotify, which tells what changes in folders. Node's own watcher hides the overflow of the kernel's queue, and
 * with it that changes were missed; here it is an event like any other.
 */
import fs from 'node:fs';
import { checkedCall, cPath, lastErrno, libcFunction, loadKoffi, systemError } from './libc.ts';

const inotifyInit = libcFunction<[number]>('int inotify_init1(int flags)');
const inotifyAddWatch = libcFunction<[number, Buffer, number]>(
  'int inotify_add_watch(int fd, const void *path, uint32_t mask)',
);
const inotifyRemoveWatch = libcFunction<[number, number]>(
  'int inotify_rm_watch(int fd, int watch)',
);
const read = libcFunction<[number, Buffer, number]>(
  'int64_t read(int fd, void *buffer, size_t size)',
);

const IN_NONBLOCK_CLOEXEC = 0o2004000;
const EAGAIN = 11;
const EINTR = 4;
const HEADER_BYTES = 16;
const READ_BYTES = 64 * 1024;

/** Bits of `InotifyEvent.mask`, and what may be asked for. */
export const inotifyBits = {
  modified: 0x2,
  attributes: 0x4,
  closedAfterWriting: 0x8,
  movedFrom: 0x40,
  movedTo: 0x80,
  created: 0x100,
  deleted: 0x200,
  selfDeleted: 0x400,
  selfMoved: 0x800,
  unmounted: 0x2000,
  overflow: 0x4000,
  watchEnded: 0x8000,
  onlyDirectory: 0x1000000,
  dontFollow: 0x2000000,
  excludeUnlinked: 0x4000000,
  isDirectory: 0x40000000,
} as const;

export type InotifyEvent = {
  /** -1 for an overflow: events were lost. */
  watch: number;
  mask: number;
  /** Name within the watched folder, one character for each byte (latin1); '' for the folder itself. */
  name: string;
};

export interface Inotify {
  /**
   * Watches a folder; resolves to the number that its events carry. The same folder gives the same number again.
   * Throws system errors: ENOSPC at fs.inotify.max_user_watches, ENOENT, ENOTDIR, EACCES.
   */
  add(directory: Buffer, mask: number): number;
  /** No event of it comes after what was queued already but `watchEnded`. Unknown numbers are ignored. */
  remove(watch: number): void;
  /** Calls back with each batch until closed. */
  listen(onEvents: (events: InotifyEvent[]) => void): void;
  /** Everything that the kernel has queued until now, at once. */
  drain(): InotifyEvent[];
  /** May be called twice. */
  close(): void;
}

/** Throws EMFILE at fs.inotify.max_user_instances, ENOSYS where this isn't Linux. */
export function openInotify(): Inotify {
  if (process.platform !== 'linux') throw systemError('inotify_init1', 38);
  const fd = checkedCall(inotifyInit(IN_NONBLOCK_CLOEXEC), 'inotify_init1');
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  let poll: { close(): void } | undefined;
  let isOpen = true;
  return {
    add: (directory, mask) =>
      checkedCall(inotifyAddWatch(fd, cPath(directory), mask), 'inotify_add_watch', directory),
    remove: (watch) => {
      // EINVAL: the kernel ended it already, because the folder is gone.
      if (isOpen) inotifyRemoveWatch(fd, watch);
    },
    listen: (onEvents) => {
      poll = loadKoffi().node.poll(fd, () => {
        const events = isOpen ? readEvents(fd, buffer) : [];
        if (events.length > 0) onEvents(events);
      });
    },
    drain: () => {
      const all: InotifyEvent[] = [];
      for (;;) {
        const events = isOpen ? readEvents(fd, buffer) : [];
        if (events.length === 0) return all;
        all.push(...events);
      }
    },
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      poll?.close();
      fs.closeSync(fd);
    },
  };
}

function readEvents(fd: number, buffer: Buffer): InotifyEvent[] {
  const events: InotifyEvent[] = [];
  const length = read(fd, buffer, buffer.length);
  if (length < 0) {
    const errno = lastErrno();
    if (errno === EAGAIN || errno === EINTR) return events;
    throw systemError('read', errno);
  }
  for (let at = 0; at < length; ) {
    const nameBytes = buffer.readUInt32LE(at + 12);
    const nameStart = at + HEADER_BYTES;
    const name = buffer.toString('latin1', nameStart, nameStart + nameBytes);
    const end = name.indexOf('\0');
    events.push({
      watch: buffer.readInt32LE(at),
      mask: buffer.readUInt32LE(at + 4),
      name: end === -1 ? name : name.slice(0, end),
    });
    at = nameStart + nameBytes;
  }
  return events;
}
