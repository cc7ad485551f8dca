/** The environment: holdfast.yaml read, checked and planned, and the runtimes that start its services. */

export { errors as environmentErrors } from './errors.ts';
export {
  allSourceSchemas,
  DEFAULT_FILE,
  type LoadOptions,
  loadEnvironment,
  type ParseOptions,
  parseEnvironment,
} from './load.ts';
export type * from './model.ts';
export type { Place, Problem } from './problems.ts';
export type { SourceSchemas } from './validate.ts';
