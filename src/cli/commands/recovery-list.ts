import type { CommandSpec } from '../command.ts';
import { DIRECT_OPTIONS } from '../recovery/options.ts';

export const command: CommandSpec = {
  path: ['recovery', 'list'],
  summary: 'list what was recovered on this host and lives on',
  options: DIRECT_OPTIONS,
  examples: ['holdfast recovery list'],
  exits: {},
  async run(_args, options, io) {
    const { withRecoveryAccess } = await import('../recovery/open-access.ts');
    const { withoutPasswords } = await import('../recovery/report.ts');
    const { lifeText } = await import('../recovery/show-life.ts');
    const { tableLines } = await import('../frame/table.ts');
    const recoveries = await withRecoveryAccess(options, io, (access) => access.list());
    const iso = (ms: number) => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
    const rows = recoveries.map((state) => ({
      cells: [
        state.id,
        `${state.environment}/${state.stage}`,
        iso(state.instantMs),
        lifeText(state),
        state.stores.map(({ store }) => store).join(' '),
      ],
    }));
    const columns = [
      { title: 'ID' },
      { title: 'ENVIRONMENT', shrinkTo: 10 },
      { title: 'AS OF (UTC)' },
      { title: 'STATUS' },
      { title: 'STORES', shrinkTo: 8 },
    ];
    if (rows.length === 0)
      io.say('No recoveries on this host.\n\n  make one   holdfast recover --to WHEN');
    else for (const line of tableLines(columns, rows, io.columns)) io.say(line);
    io.result({ recoveries: recoveries.map(withoutPasswords) });
    return 0;
  },
};
