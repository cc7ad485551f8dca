import type { Choice } from '#recovery';
import type { CommandSpec, ExitCode, Io } from '../command.ts';
import type { RecoverPlan } from '../recovery/direct.ts';
import { DIRECT_OPTIONS } from '../recovery/options.ts';
import { listOf } from '../repository/session.ts';

async function planFrom(options: Record<string, unknown>): Promise<RecoverPlan> {
  const { errors } = await import('../errors.ts');
  const { parseWhen } = await import('../frame/when.ts');
  const { systemClock } = await import('#base');
  if (typeof options.to !== 'string') throw errors.usage(['--to says when', 'holdfast recover']);
  const line = options.timeline === undefined ? undefined : Number(options.timeline);
  if (line !== undefined && !(Number.isInteger(line) && line > 0)) {
    throw errors.usage(['--timeline is a whole number', 'holdfast recover']);
  }
  return {
    when: parseWhen(options.to, systemClock.nowMs()),
    inPlace: options.inPlace === true,
    accept: listOf(options.accept),
    ...(options.store ? { stores: listOf(options.store) } : {}),
    ...(typeof options.owner === 'string' ? { owner: options.owner } : {}),
    ...(line === undefined ? {} : { line }),
  };
}

async function showChoice(choice: Choice, environment: string, io: Io): Promise<void> {
  const { selectionLines } = await import('../recovery/show.ts');
  const instant = new Date(choice.instantMs).toISOString().replace('T', ' ').slice(0, 23);
  io.say(`${environment} to ${instant} UTC, ${choice.title}`);
  io.say();
  const selections = choice.stores.map(({ selection }) => selection);
  for (const line of selectionLines(selections, Math.min(io.columns, 80))) io.say(line);
  io.say();
}

/** Beyond the limit a store must be accepted by its name; in place everything must be agreed to. */
async function agree(
  choice: Choice,
  plan: RecoverPlan,
  options: Record<string, unknown>,
  io: Io,
): Promise<void> {
  const { errors } = await import('../errors.ts');
  const over = choice.stores
    .map(({ selection }) => selection)
    .filter((selection) => selection.overLimit);
  for (const { store } of over.filter((selection) => !plan.accept.includes(selection.store))) {
    const answer = await io.ask(`Type "${store}" to accept its skew: `);
    if (answer === store) plan.accept.push(store);
  }
  const { refuseUnacceptedSkew } = await import('#app/recovery');
  refuseUnacceptedSkew(choice, plan.accept);
  if (!plan.inPlace || options.yes === true) return;
  const answer = await io.ask(
    'Production is stopped and its data replaced (kept aside). Go on? [yes/no] ',
  );
  if (answer === undefined) throw errors.needsTerminal(['replace production?', '--yes']);
  if (answer !== 'yes') throw errors.notAccepted(['production stays as it is']);
}

async function run(options: Record<string, unknown>, io: Io): Promise<ExitCode> {
  const plan = await planFrom(options);
  const { withDirectSession, recoverDirectly } = await import('../recovery/direct.ts');
  const { outcomeLines } = await import('../recovery/show.ts');
  const { choiceReport, resultReport } = await import('../recovery/report.ts');
  return await withDirectSession(options, io, async (session) => {
    const { environment } = session;
    const outcome = await recoverDirectly(session, plan, async (choice) => {
      await showChoice(choice, `${environment.name}/${environment.stage}`, io);
      if (options.dryRun === true) return false;
      await agree(choice, plan, options, io);
      return true;
    });
    if (!outcome.result) {
      io.say('Dry run: nothing was started.');
      io.result(choiceReport(outcome.choice));
      return 0;
    }
    const { state, problems } = outcome.result;
    for (const { store, path, what } of problems) io.warn(`! ${store} ${path}: ${what}`);
    for (const line of outcomeLines(state, environment.objectives.rtoMs)) io.say(line);
    io.result(resultReport(outcome.result, outcome.choice.title));
    if (state.status === 'checks-failed') return 6;
    return problems.length > 0 ? 3 : 0;
  });
}

export const command: CommandSpec = {
  path: ['recover'],
  summary: 'bring the environment, or some of its stores, back as it was',
  options: [
    ['--to <when>', 'the instant: 10:42, "5m ago", latest, "before deploy 4f2c1e", an LSN'],
    ['--store <name...>', 'only these stores'],
    ['--in-place', "put it in production's place when its checks pass; what is replaced is kept"],
    ['-n, --dry-run', 'show what it would do, and start nothing'],
    ['--accept <store...>', 'stores whose skew is over the limit and accepted'],
    ['--owner <user>', 'operating system user that runs and owns what is recovered'],
    ['--timeline <number>', 'follow this timeline instead of the newest'],
    ['-y, --yes', 'do not ask before production is replaced'],
    ...DIRECT_OPTIONS,
  ],
  examples: [
    'holdfast recover --to "before deploy 4f2c1e"',
    'holdfast recover --to "5m ago" --store orders --dry-run',
    'holdfast recover --to latest --repo /srv/backup --password-file /run/secrets/holdfast',
  ],
  exits: {
    1: 'it failed; what it made is listed by `recovery list`',
    2: 'wrong usage, an instant in the future, or an invalid holdfast.yaml',
    3: 'recovered, but some files are not as they were (named)',
    4: 'refused: skew not accepted, wrong password, no terminal to ask',
    5: 'the instant, mark, store or repository does not exist',
    6: 'recovered, but a check failed or could not be made',
  },
  async run(_args, options, io) {
    return await run(options, io);
  },
};
