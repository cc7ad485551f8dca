import type { CommandSpec } from '../command.ts';
import { SCOPE_OPTIONS } from '../control-plane/scope.ts';

export const command: CommandSpec = {
  path: ['points'],
  summary:
    'instants to come back to: windows, recovery points and marks, and what of them is proven',
  options: [...SCOPE_OPTIONS, ['-n, --limit <count>', 'how many, newest first', '20']],
  examples: ['holdfast points', 'holdfast points --limit 100 --json'],
  exits: { 5: 'no control plane runs here, or nothing is protected' },
  async run(_args, options, io) {
    const { aControlPlane } = await import('../control-plane/launch.ts');
    const { scopeFrom } = await import('../control-plane/scope.ts');
    const { pointLines } = await import('../control-plane/show-points.ts');
    const { errors } = await import('../errors.ts');
    const limit = Number(options.limit);
    if (!Number.isInteger(limit) || limit < 1 || limit > 10_000) {
      throw errors.usage(['--limit is a whole number up to 10,000', 'holdfast points']);
    }
    const { ask, client } = await aControlPlane(io);
    const scope = scopeFrom(options);
    const params = { query: { ...scope, limit } };
    const [status, points, marks, proofs] = await Promise.all([
      ask(client.GET('/v1/status', { params: { query: scope } })),
      ask(client.GET('/v1/points', { params })),
      ask(client.GET('/v1/marks', { params })),
      ask(client.GET('/v1/proofs', { params })),
    ]);
    for (const line of pointLines({ status, points, marks, proofs }, limit, io.columns))
      io.say(line);
    io.result({ points, marks, proofs });
    return 0;
  },
};
