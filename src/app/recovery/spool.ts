/** Where this host keeps what it has of a store's journal and hasn't shipped yet. */
import path from 'node:path';
import type { Environment } from '#environment';
import { stateFolder } from '../state/folder.ts';

export function spoolFolderOf(environment: Environment, store: string): string {
  return path.join(stateFolder().stores, environment.name, environment.stage, store, 'spool');
}
