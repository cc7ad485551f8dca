/**
 * What recovery needs when no control plane runs: the environment joined to the data plane, and nothing of the catalog,
 * the scheduler or the API. The command line and the control plane both come through here.
 */
export { capturedEnvironment } from './captured-environment.ts';
export * from './last-held.ts';
export { mountsOf } from './mounting.ts';
export * from './parts.ts';
export { proofView } from './proof-view.ts';
export * from './prove-environment.ts';
export * from './recover-environment.ts';
export { siteOf } from './site.ts';
export { spoolFolderOf } from './spool.ts';
