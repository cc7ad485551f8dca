/** A database of a recovery, started again on what it holds, where it answered before if that can be. */
import path from 'node:path';
import { freePort, isPortFree, writeFileDurably } from '#base';
import type { RecoveryState } from '../request.ts';
import { saveState } from './state.ts';
import { contextFor, type SwitchOptions } from './switch.ts';

/** Nothing where no process serves that store, or it runs. */
export async function startStoreAgain(options: SwitchOptions, store: string): Promise<void> {
  const { state, sources, progress } = options;
  const entry = state.stores[store] as RecoveryState['stores'][string];
  const source = sources[store];
  if (!source?.start || (await source.inUse?.(entry.directory))) return;
  progress({ step: `${store}: starting` });
  const port = await portFor(entry.url);
  const scratch = path.join(state.folder, store, 'scratch');
  // What is mounted was held against that when it was mounted.
  const survived = entry.mounted !== undefined || state.isDurable === true;
  const context = contextFor(options, store);
  await source.start({ directory: entry.directory, scratch, port, survived }, context);
  const address = new URL(entry.url);
  if (address.port === String(port)) return;
  address.port = String(port);
  entry.url = address.href;
  if (entry.urlFile !== undefined) await writeFileDurably(entry.urlFile, `${entry.url}\n`);
  await saveState(state);
}

/** The one that it had, so that its address stays; another where somebody took it meanwhile. */
async function portFor(url: string): Promise<number> {
  const port = Number(new URL(url).port);
  return (await isPortFree(port)) ? port : await freePort();
}
