import type { CommandSpec } from '../command.ts';

export const command: CommandSpec = {
  path: ['plan'],
  summary: 'show what is protected, what is not, and what stands in the way; changes nothing',
  options: [
    ['-f, --file <path>', 'the environment; by default holdfast.yaml here, else a look around'],
    ['-e, --stage <stage>', 'merge the overlay of a stage (holdfast.staging.yaml) over it'],
    ['--gate', 'exit 6 when something is unprotected, for pipelines'],
  ],
  examples: ['holdfast plan', 'holdfast plan -e staging', 'holdfast plan --gate --json'],
  exits: {
    2: 'holdfast.yaml has problems, all of them are named',
    5: 'the file or the overlay does not exist',
    6: 'with --gate: something is unprotected',
  },
  async run(_args, options, io) {
    const { inspectSeen, inspectStores } = await import('../inspect-stores.ts');
    const { DEFAULT_FILE, loadEnvironment, lookAround, makePlan, showPlan } = await import(
      '#environment'
    );
    const { existsSync } = await import('node:fs');
    const file = typeof options.file === 'string' ? options.file : undefined;
    const stage = typeof options.stage === 'string' ? options.stage : undefined;

    const isDeclared = file !== undefined || stage !== undefined || existsSync(DEFAULT_FILE);
    const environment = isDeclared
      ? await loadEnvironment({ ...(file && { file }), ...(stage && { stage }) })
      : undefined;
    const folder = environment?.folder ?? process.cwd();
    const seen = await lookAround(folder, process.env, environment);
    const [inspections, undeclared] = await Promise.all([
      environment ? inspectStores(environment, io.signal) : new Map(),
      inspectSeen(seen, io.signal),
    ]);
    const plan = makePlan(environment, inspections, undeclared);
    for (const line of showPlan(plan, Math.min(io.columns, 80))) io.say(line);
    io.result(plan);
    return options.gate === true && plan.unprotected.length > 0 ? 6 : 0;
  },
};
