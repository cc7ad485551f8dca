/**
 * Names the places between two durable steps of a recovery's life. Whoever wants to know that a crash there is gone on
 * from, or cleared away, hands in a function that kills the process; nobody else hands in any.
 */
export type CrashPoint = (name: CrashPointName) => void;

/** In the order in which they are passed, by what is done. */
export const CRASH_POINTS = {
  create: [
    'create/folder',
    'create/noted',
    'create/data',
    'create/journal',
    'create/services',
    'create/checked',
    'create/written-out',
  ],
  hydrate: ['hydrate/whole'],
  leave: ['leave/noted', 'leave/stopped', 'leave/unmounted', 'leave/plain', 'leave/started'],
  promote: [
    'switch/begun',
    'switch/copy-stopped',
    'switch/production-stopped',
    'switch/noted',
    'switch/production-aside',
    'switch/copy-in-place',
    'switch/started',
  ],
  /** Of a folder to another file system, in a promotion or an undo. */
  move: ['move/copied', 'move/left', 'move/arrived'],
  undo: [
    'undo/begun',
    'undo/production-stopped',
    'undo/copy-back',
    'undo/production-back',
    'undo/started',
  ],
  remove: [
    'remove/noted',
    'remove/stopped',
    'remove/unmounted',
    'remove/replaced-gone',
    'remove/emptied',
    'remove/unnoted',
  ],
} as const;

export type CrashPointName = (typeof CRASH_POINTS)[keyof typeof CRASH_POINTS][number];

export const noCrash: CrashPoint = () => {};
