/**
 * Names the places between two durable steps of a switch. Whoever wants to know that a crash there is gone on from hands
 * in a function that kills the process; nobody else hands in any.
 */
export type SwitchCrashPoint = (name: SwitchCrashPointName) => void;

export type SwitchCrashPointName =
  | 'switch/noted'
  | 'switch/production-aside'
  | 'switch/copy-in-place'
  | 'switch/started'
  | 'leave/noted'
  | 'leave/stopped'
  | 'leave/unmounted'
  | 'leave/plain'
  | 'leave/started'
  | 'undo/copy-back'
  | 'undo/production-back'
  | 'undo/started';

export const noCrash: SwitchCrashPoint = () => {};
