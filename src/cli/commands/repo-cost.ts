import type { CommandSpec } from '../command.ts';
import { REPOSITORY_EXITS, REPOSITORY_OPTIONS, withRepository } from '../repository/session.ts';

export const command: CommandSpec = {
  path: ['repo', 'cost'],
  summary: 'estimate what a repository in a bucket costs a month, store by store',
  options: [
    ...REPOSITORY_OPTIONS,
    ['--prices <file>', 'another price list, as `prices` of the --json output'],
  ],
  examples: [
    'holdfast repo cost --repo s3:https://minio.example/backups/shop',
    'holdfast repo cost --repo s3:https://minio.example/backups/shop --prices ours.json',
  ],
  exits: REPOSITORY_EXITS,
  async run(_args, options, io) {
    const { DEFAULT_PRICES, estimateCost, readPriceList, storeActivity } = await import(
      '#repository'
    );
    const { formatCount, formatSize } = await import('#base');
    const { tableLines } = await import('../frame/table.ts');
    const prices =
      typeof options.prices === 'string' ? await readPriceList(options.prices) : DEFAULT_PRICES;
    await withRepository(options, async (repository) => {
      const lockDays = (await repository.storage.versions?.lock())?.days ?? 0;
      const estimate = estimateCost(await storeActivity(repository), { prices, lockDays });
      const money = (amount: number) => `${amount.toFixed(2)} ${estimate.currency}`;
      const rows = estimate.stores.map((store) => ({
        mark: ' ' as const,
        cells: [
          store.store,
          formatSize(store.storedBytes + store.keptByLocksBytes),
          formatCount(store.writesPerMonth),
          formatCount(store.readsPerMonth),
          money(store.costPerMonth),
        ],
      }));
      const columns = ['STORE', 'BYTES', 'WRITES', 'READS', 'A MONTH'].map((title) => ({ title }));
      if (rows.length === 0) io.say('No store has been captured into this repository yet.');
      else for (const line of tableLines(columns, rows, io.columns)) io.say(line);
      io.say(
        `\nin all about ${money(estimate.costPerMonth)} a month, if it goes on like this week`,
      );
      for (const assumption of estimate.assumptions) io.say(`· ${assumption}`);
      io.result({ ...estimate, prices });
    });
    return 0;
  },
};
