/** `down --purge`: what is removed, what is left of this control plane, and how the rest is removed. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { stateFolder } from '#app';
import { messageOf } from '#base';
import { listRecoveries, type RecoveryState } from '#recovery';
import type { Io } from '../command.ts';
import { errors } from '../errors.ts';
import type { ControlPlane } from './client.ts';

/**
 * A copy beside production, also one whose making or removal was cut; what was promoted is production's, and keeps what
 * it replaced.
 */
const COPIES: readonly RecoveryState['status'][] = [
  ...(['recovering', 'ready', 'checks-failed', 'failed'] as const),
  ...(['undone', 'removing'] as const),
];

export type Left = { id: string; environment: string; stage: string; status: string };

/** Throws `cli/needs-terminal` and `cli/declined-purge`. */
export async function agreeToPurge(options: Record<string, unknown>, io: Io): Promise<void> {
  if (options.yes === true) return;
  const copies = options.recoveries === true ? await removable() : [];
  const also =
    copies.length === 0 ? '' : ` and the data of ${copies.map(({ id }) => id).join(', ')}`;
  const what = `all state of this control plane${also}`;
  const answer = await io.ask(`Remove ${what}? Repositories stay. [yes/no] `);
  if (answer === undefined) throw errors.needsTerminal([`remove ${what}?`, '--yes']);
  if (answer !== 'yes') throw errors.declinedPurge([]);
}

async function removable(): Promise<RecoveryState[]> {
  const all = await listRecoveries(stateFolder().recoveries);
  return all.filter(({ status }) => COPIES.includes(status));
}

/** Ends and deletes the copies that were recovered beside production. One that can't be is left, with its reason. */
export async function removeRecoveries(
  { ask, client }: ControlPlane,
  io: Io,
): Promise<{ removed: string[]; isOneLeft: boolean }> {
  const removed: string[] = [];
  let isOneLeft = false;
  for (const { id } of await removable()) {
    io.progress({ step: `removing recovery ${id}` });
    try {
      await ask(client.POST('/v1/recoveries/{id}/remove', { params: { path: { id } } }));
      removed.push(id);
    } catch (error) {
      io.signal.throwIfAborted();
      isOneLeft = true;
      io.warn(`! recovery ${id} is left: ${messageOf(error)}`);
    }
  }
  io.progress({ step: 'removing recoveries', ended: { tookMs: 0 } });
  return { removed, isOneLeft };
}

/**
 * Everything but the recoveries that live on: that is data which somebody brought back. `keepsLog`: where something went
 * wrong, what the server wrote down about it stays too.
 */
export async function removeState(keepsLog: boolean): Promise<{ root: string; left: Left[] }> {
  const state = stateFolder();
  const isKept = (await fs.readdir(state.recoveries).catch(() => [])).length > 0;
  const kept = [...(isKept ? [state.recoveries] : []), ...(keepsLog ? [state.logFile] : [])];
  for (const name of await fs.readdir(state.root).catch(() => [])) {
    if (kept.includes(path.join(state.root, name))) continue;
    await fs.rm(path.join(state.root, name), { recursive: true, force: true });
  }
  const left = isKept ? await listRecoveries(state.recoveries) : [];
  return {
    root: state.root,
    left: left.map(({ id, environment, stage, status }) => ({ id, environment, stage, status })),
  };
}

export function sayWhatIsLeft(left: readonly Left[], sharedCatalog: string | undefined, io: Io) {
  if (left.length > 0) {
    io.say(`Left in ${stateFolder().recoveries}:`);
    for (const { id, environment, stage, status } of left) {
      io.say(`  ${id}  ${environment}/${stage}  ${status}`);
    }
    io.say('Remove one, where its holdfast.yaml lies: holdfast recovery remove ID');
    if (left.some(({ status }) => COPIES.includes(status as RecoveryState['status']))) {
      io.say('All copies at once, while a control plane runs: holdfast down --purge --recoveries');
    }
    if (left.some(({ status }) => status === 'promoted')) {
      io.say('What was promoted is production now: removing it deletes what it replaced.');
    }
  }
  if (sharedCatalog !== undefined) {
    io.say(`Left in the catalog ${sharedCatalog}:`);
    io.say('its schemas. Remove them there: drop schema holdfast, dbos cascade;');
  }
}
