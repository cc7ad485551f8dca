import type { CommandSpec } from '../command.ts';
import { DIRECT_OPTIONS } from '../recovery/options.ts';

export const command: CommandSpec = {
  path: ['rebuild'],
  summary: 'bring a lost control plane back from repository and password',
  options: DIRECT_OPTIONS,
  examples: [
    'holdfast rebuild',
    'holdfast rebuild --repo /backup/shop --password-file /root/shop.password',
  ],
  exits: {
    1: 'it failed; what and where is said',
    4: 'wrong password',
    5: 'no repository there, or none that an environment was protected in',
  },
  async run(_args, options, io) {
    const { withDirectSession } = await import('../recovery/direct.ts');
    const { aControlPlane } = await import('../control-plane/launch.ts');
    const { formatCount } = await import('#base');
    const declared = await withDirectSession(options, async ({ environment }) => environment);
    const { ask, client } = await aControlPlane(io);
    const stage = declared.overlay === undefined ? {} : { stage: declared.stage };
    const { environment, stage: applied } = await ask(
      client.POST('/v1/environments', {
        body: { file: declared.file, ...stage, takeOver: true },
      }),
    );
    const query = { environment, stage: applied };
    const status = await ask(client.GET('/v1/status', { params: { query } }));
    const captures = status.stores.reduce((sum, store) => sum + store.captures, 0);
    io.say(`${environment}/${applied} is back: ${formatCount(captures)} captures`);
    io.say(`and ${formatCount(status.points)} recovery points, as the repository has them.`);
    io.say(`It goes by ${declared.file}.`);
    io.say();
    io.say('Look: holdfast status');
    io.result({
      environment,
      stage: applied,
      file: declared.file,
      captures,
      points: status.points,
    });
    return 0;
  },
};
