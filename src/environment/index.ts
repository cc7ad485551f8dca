/** The environment: holdfast.yaml read, checked and planned, and the runtimes that start its services. */

export { type CopyBindings, resolveBindings } from './bindings.ts';
export { type CheckOptions, runChecks } from './checks/run.ts';
export type { CheckResult, CheckVerdict } from './checks/seen.ts';
export {
  type ControlOptions,
  type PartControl,
  type ProductionControls,
  productionControls,
} from './control/control.ts';
export { errors as environmentErrors } from './errors.ts';
export { environmentJsonSchemaText } from './json-schema.ts';
export {
  allSourceSchemas,
  DEFAULT_FILE,
  type LoadOptions,
  loadEnvironment,
  type ParseOptions,
  parseEnvironment,
} from './load.ts';
export type * from './model.ts';
export { type RepositoryReference, repositoryLines, withRepository } from './plan/adopt.ts';
export {
  makePlan,
  type Plan,
  type PlanFinding,
  type PlannedStore,
  type PlanVerdict,
  type StoreInspection,
  type Undeclared,
} from './plan/plan.ts';
export { showPlan } from './plan/show.ts';
export { type StarterFacts, starterText } from './plan/starter.ts';
export { COMPOSE_FILES, lookAround, type Seen } from './plan/surroundings.ts';
export type { Place, Problem } from './problems.ts';
export {
  createProcessRuntime,
  type ProcessRuntime,
  type ProcessRuntimeOptions,
  type StartedService,
} from './runtimes/process.ts';
export { storeSettings } from './store-settings.ts';
export type { SourceSchemas } from './validate.ts';
