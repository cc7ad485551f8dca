import type { CommandSpec } from '../command.ts';
import { SCOPE_OPTIONS } from '../control-plane/scope.ts';

export const command: CommandSpec = {
  path: ['status'],
  summary: 'what is protected, how far back, and which objectives are missed',
  options: SCOPE_OPTIONS,
  examples: ['holdfast status', 'holdfast status --stage staging --json'],
  exits: {
    0: 'every objective is met',
    5: 'no control plane runs here, or nothing is protected',
    6: 'an objective is missed or unknown, a proof failed or is overdue, or the repository needs you',
  },
  async run(_args, options, io) {
    const { theControlPlane } = await import('../control-plane/client.ts');
    const { scopeFrom } = await import('../control-plane/scope.ts');
    const { isBad, statusLines } = await import('../control-plane/show-status.ts');
    const { ask, client } = await theControlPlane();
    const query = scopeFrom(options);
    const status = await ask(client.GET('/v1/status', { params: { query }, signal: io.signal }));
    for (const line of statusLines(status, io.columns)) io.say(line);
    io.result(status);
    return isBad(status) ? 6 : 0;
  },
};
