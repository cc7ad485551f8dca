import type { CommandSpec } from '../command.ts';
import { DIRECT_OPTIONS } from '../recovery/options.ts';

export const command: CommandSpec = {
  path: ['recovery', 'open'],
  summary: 'show where a recovery answers: databases, folders, services',
  arguments: [['<id>', 'of the recovery']],
  options: [...DIRECT_OPTIONS, ['--secrets', 'show passwords in addresses, as --json does']],
  examples: ['holdfast recovery open r19kq'],
  exits: { 5: 'no such recovery' },
  async run([id], options, io) {
    const { lifeLines } = await import('../recovery/show-life.ts');
    const { shownAddress } = await import('../recovery/report.ts');
    const { withRecoveryAccess } = await import('../recovery/open-access.ts');
    const state = await withRecoveryAccess(options, io, (access) => access.find(String(id)));
    io.say(
      `${state.id}: ${state.environment}/${state.stage} as of ${new Date(state.instantMs).toISOString()}, ${state.status}`,
    );
    io.say();
    for (const { store, url = '' } of state.stores) {
      io.say(`  ${store.padEnd(12)}${options.secrets === true ? url : shownAddress(url)}`);
    }
    for (const service of state.services) io.say(`  ${service.name.padEnd(12)}${service.url}`);
    for (const line of lifeLines(state)) io.say(line);
    io.result(state);
    return 0;
  },
};
