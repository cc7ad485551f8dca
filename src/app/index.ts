/**
 * The composition root: the only place that knows every layer. It starts a control plane (catalog, scheduler, captures,
 * API), keeps it going, and ends it in order. Importing this costs nothing: the layers are loaded when it starts.
 */
import type { ServeOptions } from './serve.ts';

export { errors as appErrors } from './errors.ts';
export {
  type RunningServer,
  readRunningServer,
  readSharedCatalog,
  readToken,
  type StateFolder,
  stateFolder,
} from './state/folder.ts';
export type { ServeOptions };

/** Runs a control plane in this process until it is told to stop. */
export async function serve(options: ServeOptions): Promise<void> {
  const { serve: run } = await import('./serve.ts');
  await run(options);
}
