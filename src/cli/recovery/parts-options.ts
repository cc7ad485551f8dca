import type { CommandSpec } from '../command.ts';
import { DIRECT_OPTIONS } from './options.ts';

/** Of commands that look at copies of stores in passing. */
export const PARTS_OPTIONS: NonNullable<CommandSpec['options']> = [
  ['--owner <user>', 'operating system user that runs the copies which are looked at'],
  ...DIRECT_OPTIONS,
];

/** As merges are called; recoveries begin with another letter. */
export const isMerge = (id: string): boolean => /^m[0-9a-z]{5}$/.test(id);

export const UNDO_OPTIONS: NonNullable<CommandSpec['options']> = [
  ['--store <name>', 'of a merge of rows (m…): the store that it went into'],
  ['--database <name>', 'the same: the database, where it is another than that of its address'],
  ['--production-url-file <file>', 'the same: file with the address of a role that may write'],
];
