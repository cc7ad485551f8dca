import type { CommandSpec } from '../command.ts';
import { DIRECT_OPTIONS } from '../recovery/options.ts';

export const command: CommandSpec = {
  path: ['recovery', 'resume'],
  summary: 'bring a recovery up again after a reboot, or after its mounts lost their process',
  arguments: [['[id]', 'of the recovery; needless where there is only one']],
  options: DIRECT_OPTIONS,
  examples: ['holdfast recovery resume', 'holdfast recovery resume r19kq'],
  exits: {
    1: 'something of it could not be started; the same command goes on from there',
    2: 'the recovery is not in a state for this, or there are several',
    5: 'no such recovery',
  },
  async run([id], options, io) {
    const { withRecoveryAccess } = await import('../recovery/open-access.ts');
    const { chooseRecovery } = await import('../recovery/choose-recovery.ts');
    const { shownAddress, withoutPasswords } = await import('../recovery/report.ts');
    const { lifeLines } = await import('../recovery/show-life.ts');
    await withRecoveryAccess(options, io, async (access) => {
      const lives = ({ status }: { status: string }) =>
        status === 'ready' || status === 'checks-failed';
      const found = await chooseRecovery(access, id, lives);
      const recovery = await access.change('resume', found.id);
      io.say(`${recovery.id} is up:`);
      io.say();
      for (const { store, url = '' } of recovery.stores) {
        io.say(`  ${store.padEnd(12)}${shownAddress(url)}`);
      }
      for (const service of recovery.services) io.say(`  ${service.name.padEnd(12)}${service.url}`);
      for (const line of lifeLines(recovery)) io.say(line);
      io.result(withoutPasswords(recovery));
    });
    return 0;
  },
};
