/** `holdfast recover`: shows what it will do, asks where it must, does it, and says what came of it. */
import { systemClock } from '#base';
import type { ExitCode, Io } from '../command.ts';
import { errors } from '../errors.ts';
import { parseWhen } from '../frame/when.ts';
import { listOf } from '../repository/session.ts';
import type { Options, RecoverPlan, RecoveryAccess } from './access.ts';
import { withRecoveryAccess } from './open-access.ts';
import { type ShownRecovery, withoutPasswords } from './report.ts';
import { noteLines, outcomeLines, selectionLines } from './show.ts';

const USAGE = 'holdfast recover';

function planFrom(options: Options): RecoverPlan {
  if (typeof options.to !== 'string') throw errors.usage(['--to says when', USAGE]);
  const line = options.timeline === undefined ? undefined : Number(options.timeline);
  if (line !== undefined && !(Number.isInteger(line) && line > 0)) {
    throw errors.usage(['--timeline is a whole number', USAGE]);
  }
  return {
    when: parseWhen(options.to, systemClock.nowMs()),
    inPlace: options.inPlace === true,
    full: options.full === true,
    accept: listOf(options.accept),
    ...(options.store ? { stores: listOf(options.store) } : {}),
    ...(typeof options.owner === 'string' ? { owner: options.owner } : {}),
    ...(line === undefined ? {} : { line }),
  };
}

function showChoice(choice: ShownRecovery, io: Io): void {
  const instant = new Date(choice.instantMs).toISOString().replace('T', ' ').slice(0, 23);
  io.say(`${choice.environment}/${choice.stage} to ${instant} UTC, ${choice.title}`);
  io.say();
  for (const line of selectionLines(choice.stores, Math.min(io.columns, 80))) io.say(line);
  for (const line of noteLines(choice.stores)) io.say(line);
  io.say();
}

/** Beyond the limit a store must be accepted by its name; replacing production must be agreed to. */
async function agree(
  choice: ShownRecovery,
  plan: RecoverPlan,
  options: Options,
  io: Io,
): Promise<void> {
  for (const { store, overLimit } of choice.stores) {
    if (!overLimit || plan.accept.includes(store)) continue;
    if ((await io.ask(`Type "${store}" to accept its skew: `)) === store) plan.accept.push(store);
  }
  if (!plan.inPlace || options.yes === true) return;
  const question = 'Production is stopped and its data replaced (kept aside). Go on? [yes/no] ';
  const answer = await io.ask(question);
  if (answer === undefined) throw errors.needsTerminal(['replace production?', '--yes']);
  if (answer !== 'yes') throw errors.notAccepted(['production stays as it is']);
}

async function recoverWith(access: RecoveryAccess, options: Options, io: Io): Promise<ExitCode> {
  const plan = planFrom(options);
  const choice = await access.choose(plan);
  showChoice(choice, io);
  if (options.dryRun === true) {
    io.say('Dry run: nothing was started.');
    io.result(choice);
    return 0;
  }
  await agree(choice, plan, options, io);
  const { recovery, problems } = await access.recover(plan);
  for (const { store, path, what } of problems) io.warn(`! ${store} ${path}: ${what}`);
  for (const line of outcomeLines(recovery, await access.objectiveMs())) io.say(line);
  io.result({ ...withoutPasswords(recovery), problems });
  if (recovery.status === 'checks-failed') return 6;
  return problems.length > 0 ? 3 : 0;
}

export async function recover(options: Options, io: Io): Promise<ExitCode> {
  return await withRecoveryAccess(options, io, (access) => recoverWith(access, options, io));
}
