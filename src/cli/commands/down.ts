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

export const command: CommandSpec = {
  path: ['down'],
  summary: 'stop the control plane of this machine',
  options: [
    ['--drop-slots', 'also drop the replication slots in the databases'],
    ['--purge', 'also drop the slots and remove all state here; repositories stay'],
    ['--recoveries', 'with --purge: also end and delete the copies made beside production'],
    ['-y, --yes', 'do not ask before removing'],
  ],
  examples: ['holdfast down', 'holdfast down --purge --yes', 'holdfast down --purge --recoveries'],
  exits: { 0: 'nothing runs any more', 4: 'removing was not agreed to' },
  async run(_args, options, io) {
    const { errors } = await import('../errors.ts');
    if (options.recoveries === true && options.purge !== true) {
      throw errors.usage(['--recoveries belongs to --purge', 'holdfast down']);
    }
    if (options.purge !== true) {
      const wasRunning = await stop(options, io);
      io.result({ wasRunning });
      return 0;
    }
    const purge = await import('../control-plane/purge.ts');
    const { readSharedCatalog, stateFolder } = await import('#app');
    await purge.agreeToPurge(options, io);
    const shared = await readSharedCatalog(stateFolder());
    let ended = { removed: [] as string[], isOneLeft: false };
    const wasRunning = await stop(options, io, async (controlPlane) => {
      if (options.recoveries !== true) return;
      ended = await purge.removeRecoveries(controlPlane, io);
    });
    const { root, left } = await purge.removeState(ended.isOneLeft);
    io.say(`Removed ${root}. Repositories are as they were.`);
    if (ended.isOneLeft) io.say(`What the server wrote down is kept: ${stateFolder().logFile}`);
    purge.sayWhatIsLeft(left, shared, io);
    io.result({ wasRunning, removed: root, recoveries: ended.removed, left });
    return 0;
  },
};

/** Resolves to whether one ran. `before`: done with it while it still answers. */
async function stop(
  options: Record<string, unknown>,
  io: Io,
  before: (controlPlane: ControlPlane) => Promise<void> = async () => {},
): Promise<boolean> {
  const { connect, findControlPlane } = await import('../control-plane/client.ts');
  const { launchInBackground, shutDown } = await import('../control-plane/launch.ts');
  const address = await findControlPlane();
  let controlPlane = address && connect(address);
  if (!controlPlane && (await mustDropSlots(options))) {
    // Only a control plane that knows the stores can take its slots back.
    controlPlane = await launchInBackground(io);
    if ((await whoLeadsInstead(controlPlane)) === undefined) await untilTakenUp(controlPlane, io);
  }
  if (controlPlane) {
    // One that stands by protects nothing: the slots are those of the one that leads.
    const standsBy = await whoLeadsInstead(controlPlane);
    if (standsBy === undefined) await before(controlPlane);
    const dropSlots = standsBy === undefined && (await shallDropSlots(controlPlane, options, io));
    await shutDown(controlPlane, { dropSlots }, io);
    if (standsBy !== undefined) io.say(`It stood by: ${standsBy} goes on.`);
  }
  io.say(address ? 'Stopped. Start again: holdfast up' : 'Nothing was running.');
  return address !== undefined;
}

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
