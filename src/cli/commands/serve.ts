import type { CommandSpec } from '../command.ts';

export const command: CommandSpec = {
  path: ['serve'],
  summary: 'run the control plane in the foreground, with what was applied before',
  examples: [
    'holdfast serve',
    'HOLDFAST_DATABASE_URL=postgresql://holdfast@db1/holdfast holdfast serve',
  ],
  exits: {
    0: 'it was told to stop, and has stopped',
    1: 'it failed; what and where is said',
    4: 'another one runs on the same state folder',
  },
  async run(_args, _options, io) {
    const { serveHere } = await import('../control-plane/launch.ts');
    await serveHere(io, async ({ address: { url, pid } }, standsBy) => {
      if (standsBy === undefined) {
        io.say(`Serving at ${url}. Apply a declaration: holdfast apply`);
      } else {
        io.say(`Standing by at ${url}: ${standsBy} leads on the same catalog.`);
        io.say('When that one ends, this one takes over.');
      }
      io.result({ url, pid, ...(standsBy === undefined ? {} : { standsBy }) });
    });
    return 0;
  },
};
