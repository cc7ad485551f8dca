/** Options that all commands about recoveries share. */
import type { CommandSpec } from '../command.ts';
import { REPOSITORY_OPTIONS } from '../repository/session.ts';

export const ENVIRONMENT_OPTIONS: NonNullable<CommandSpec['options']> = [
  ['-f, --file <path>', 'the environment; by default holdfast.yaml here, else as it was captured'],
  ['-e, --stage <stage>', 'merge the overlay of a stage over it'],
  ['--target <folder>', "where recoveries lie; by default in Holdfast's state folder"],
];

/** With these, no server is asked: repository and password are enough. */
export const DIRECT_OPTIONS: NonNullable<CommandSpec['options']> = [
  ...ENVIRONMENT_OPTIONS,
  ...REPOSITORY_OPTIONS,
];
