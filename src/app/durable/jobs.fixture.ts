/** Runs jobs on an embedded catalog: `stall` never ends its slow one, `finish` does and shows all. */
import { HoldfastError, quietLogger, sleepMs } from '#base';
import { openCatalog } from '#catalog';
import { type Job, startJobs } from './jobs.ts';

const [folder, mode] = process.argv.slice(2) as [string, string];
const say = (line: string) => process.stdout.write(`${line}\n`);
const job = (store: string): Job => ({
  task: 'capture',
  environment: 'shop',
  stage: 'production',
  store,
});
let ticked: () => void = () => {};
const tick = new Promise<void>((resolve) => {
  ticked = resolve;
});

const catalog = await openCatalog({
  kind: 'embedded',
  folder: `${folder}/catalog`,
  log: quietLogger,
});
const jobs = await startJobs({
  databaseUrl: catalog.url,
  atOnce: 3,
  log: quietLogger,
  async run(asked) {
    const name = asked.task === 'capture' ? asked.store : asked.task;
    if (name === 'quick') say('ran quick');
    if (name === 'clean-up') ticked();
    if (name === 'failing') {
      const facts = {
        code: 'test/it',
        kind: 'failed',
        message: 'no',
        guidance: 'Mend it.',
        retryable: false,
      } as const;
      throw new HoldfastError(facts);
    }
    if (name === 'slow') {
      say('began slow');
      if (mode === 'stall') await sleepMs(600_000);
    }
    return `${name} is done`;
  },
});
for (const name of ['quick', 'slow', 'failing']) await jobs.start(name, job(name));
await jobs.start('quick', job('quick'));
if (mode === 'stall') {
  await jobs.wait('quick', 30_000);
  say('quick is recorded');
  await sleepMs(600_000);
}
for (const name of ['quick', 'slow', 'failing']) {
  const state = await jobs.wait(name, 30_000);
  say(`${name} ended ${JSON.stringify(state?.state === 'ended' ? state.outcome : state)}`);
}
await jobs.schedule([{ name: 'every-second', everyMs: 1000, job: { task: 'clean-up' } }]);
await tick;
say('ticked');
await jobs.schedule([]);
await jobs.close(5000);
await catalog.close();
