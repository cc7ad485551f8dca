/** Rows merged into a production that runs, and the merge taken back, each killed once: all of it is there or nothing. */
import { eventually } from '../../end-to-end/site/command.ts';
import { command, expectNothingRuns, killDuring, mustEnd, type Trials } from './trials.ts';

const MERGE = ['recover', '--to', 'latest', '--table', 'numbers', '--merge', '--yes'];

export async function killMerges(trials: Trials, where: string): Promise<void> {
  const { site, rows, fail, figures } = trials;
  const damaged = rows - Math.floor(rows / 7);
  try {
    await site.server.sql('delete from numbers where n % 7 = 0');
    const merged = await killDuring(trials, MERGE);
    const then = await settledCount(trials);
    figures.add(then === rows ? 'merges that came through' : 'merges that did not');
    if (then !== rows && then !== damaged) fail(`${where}: ${then} rows after a killed merge`);
    if (then !== rows && merged.code === 0) fail(`${where}: said that it merged, and did not`);
    await mustEnd(trials, where, ...MERGE);
    await expectNothingRuns(trials, where);
    await expectCount(trials, rows, `${where}, merged again`);
    await killUndo(trials, where, damaged);
  } catch (error) {
    fail(`${where}: ${(error as Error).message}`);
  } finally {
    await site.server.sql(
      `insert into numbers select generate_series(1, ${rows}) on conflict do nothing`,
      'drop schema if exists holdfast_undo cascade',
    );
  }
}

async function killUndo(trials: Trials, where: string, damaged: number): Promise<void> {
  const { site, rows, fail } = trials;
  const [merge] = await site.server.sql('select id from holdfast_undo.merges');
  const words = ['recovery', 'undo', String(merge?.id), '--yes'];
  await killDuring(trials, words);
  const then = await settledCount(trials);
  if (then !== rows && then !== damaged) fail(`${where}: ${then} rows after a killed undo`);
  const { code, errors } = await command(trials, ...words);
  const isDone = then === damaged && errors.includes('taken back already');
  if (code !== 0 && !isDone) fail(`${where}, undo after a kill: ${code} ${errors}`);
  await expectCount(trials, damaged, `${where}, undone`);
}

/** A server notices within a second that nobody waits for its answer any more. */
async function settledCount({ site }: Trials): Promise<number> {
  const others = `select count(*)::int as n from pg_stat_activity where application_name = 'holdfast parts'`;
  await eventually('the server to have noticed', async () =>
    (await site.server.sql(others))[0]?.n === 0 ? true : undefined,
  );
  return Number((await site.server.sql('select count(*)::int as n from numbers'))[0]?.n);
}

async function expectCount(trials: Trials, wanted: number, where: string): Promise<void> {
  const count = await settledCount(trials);
  if (count !== wanted) trials.fail(`${where}: ${count} rows and not ${wanted}`);
}
