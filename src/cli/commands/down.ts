import type { CommandSpec, Io } from '../command.ts';
import type { ControlPlane } from '../control-plane/client.ts';

/** Replication slots make production keep its WAL: whoever stops for good should drop them. */
async function shallDropSlots(
  controlPlane: ControlPlane,
  options: Record<string, unknown>,
  io: Io,
): Promise<boolean> {
  if (options.purge === true || options.dropSlots === true) return true;
  const { ask, client } = controlPlane;
  const environments = await ask(client.GET('/v1/environments'));
  const journaled: string[] = [];
  for (const { environment, stage, trouble } of environments) {
    if (trouble !== undefined) continue;
    const query = { environment, stage };
    const status = await ask(client.GET('/v1/status', { params: { query } }));
    journaled.push(...status.stores.filter((store) => store.journal).map(({ name }) => name));
  }
  if (journaled.length === 0) return false;
  const answer = await io.ask(
    `Drop the replication slots of ${journaled.join(', ')}? Kept, production holds its WAL for us. [y/N] `,
  );
  if (answer === undefined) {
    io.warn(
      `Slots of ${journaled.join(', ')} are kept: production holds its WAL up to their limit.`,
    );
    io.warn('Stopping for good? holdfast down --drop-slots');
  }
  return /^y(es)?$/i.test(answer ?? '');
}

async function agreeToPurge(options: Record<string, unknown>, io: Io): Promise<void> {
  if (options.yes === true) return;
  const { errors } = await import('../errors.ts');
  const question = 'Remove all state of this control plane? Repositories stay. [yes/no] ';
  const answer = await io.ask(question);
  if (answer === undefined) throw errors.needsTerminal(['remove all state?', '--yes']);
  if (answer !== 'yes') throw errors.declinedPurge([]);
}

/** What lives on in recoveries is data that somebody brought back: it isn't removed by the way. */
async function removeState(io: Io): Promise<string> {
  const fs = await import('node:fs/promises');
  const path = await import('node:path');
  const { stateFolder } = await import('#app');
  const state = stateFolder();
  const recoveries = path.basename(state.recoveries);
  const kept = (await fs.readdir(state.recoveries).catch(() => [])).length > 0;
  for (const name of await fs.readdir(state.root).catch(() => [])) {
    if (name === recoveries && kept) continue;
    await fs.rm(path.join(state.root, name), { recursive: true, force: true });
  }
  if (kept) io.warn(`Recoveries are left where they are: ${state.recoveries}`);
  return state.root;
}

export const command: CommandSpec = {
  path: ['down'],
  summary: 'stop the control plane of this machine',
  options: [
    ['--drop-slots', 'also drop the replication slots in the databases'],
    ['--purge', 'also drop the slots and remove all state here; repositories stay'],
    ['-y, --yes', 'do not ask before removing'],
  ],
  examples: ['holdfast down', 'holdfast down --purge --yes'],
  exits: { 0: 'nothing runs any more', 4: 'removing was not agreed to' },
  async run(_args, options, io) {
    const { connect, findControlPlane } = await import('../control-plane/client.ts');
    const { launchInBackground, shutDown } = await import('../control-plane/launch.ts');
    if (options.purge === true) await agreeToPurge(options, io);
    const address = await findControlPlane();
    const nothingRan = address === undefined;
    let controlPlane = address && connect(address);
    if (nothingRan && (await mustDropSlots(options))) {
      // Only a control plane that knows the stores can take its slots back.
      controlPlane = await launchInBackground(io);
      if ((await whoLeadsInstead(controlPlane)) === undefined) await untilTakenUp(controlPlane, io);
    }
    if (controlPlane) {
      // One that stands by protects nothing: the slots are those of the one that leads.
      const standsBy = await whoLeadsInstead(controlPlane);
      const dropSlots = standsBy === undefined && (await shallDropSlots(controlPlane, options, io));
      await shutDown(controlPlane, { dropSlots }, io);
      if (standsBy !== undefined) io.say(`It stood by: ${standsBy} goes on.`);
    }
    const removed = options.purge === true ? await removeState(io) : undefined;
    io.say(nothingRan ? 'Nothing was running.' : 'Stopped. Start again: holdfast up');
    if (removed !== undefined) io.say(`Removed ${removed}. Repositories are as they were.`);
    io.result({ wasRunning: !nothingRan, ...(removed === undefined ? {} : { removed }) });
    return 0;
  },
};

async function mustDropSlots(options: Record<string, unknown>): Promise<boolean> {
  if (options.purge !== true && options.dropSlots !== true) return false;
  const fs = await import('node:fs/promises');
  const { stateFolder } = await import('#app');
  const { catalog, sharedCatalogFile } = stateFolder();
  const there = (file: string) =>
    fs.access(file).then(
      () => true,
      () => false,
    );
  return (await there(catalog)) || (await there(sharedCatalogFile));
}

async function whoLeadsInstead({ ask, client }: ControlPlane): Promise<string | undefined> {
  return (await ask(client.GET('/v1/server'))).standsBy;
}

/** Environments are taken up in the background; one that can't be has said why within this time. */
async function untilTakenUp({ ask, client }: ControlPlane, io: Io): Promise<void> {
  const { sleepMs, systemClock } = await import('#base');
  const deadlineMs = systemClock.monotonicMs() + 15_000;
  while (systemClock.monotonicMs() < deadlineMs) {
    const all = await ask(client.GET('/v1/environments'));
    if (all.every(({ state }) => state !== 'starting')) {
      for (const { environment, stage, trouble } of all) {
        if (trouble !== undefined)
          io.warn(`! ${environment}/${stage}: slots not dropped: ${trouble}`);
      }
      return;
    }
    await sleepMs(100, io.signal);
  }
}
