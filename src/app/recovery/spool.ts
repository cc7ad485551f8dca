/** Where this host keeps what it has of a store's journal and hasn't shipped yet. */
import path from 'node:path';
import type { Environment } from '#environment';
import { environmentFolder, spoolFolderIn, stateFolder } from '../state/folder.ts';

export function spoolFolderOf(environment: Environment, store: string): string {
  return spoolFolderIn(path.join(environmentFolder(stateFolder().stores, environment), store));
}
