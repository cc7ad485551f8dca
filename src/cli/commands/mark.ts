import type { CommandSpec } from '../command.ts';
import { SCOPE_OPTIONS } from '../control-plane/scope.ts';

export const command: CommandSpec = {
  path: ['mark'],
  summary: 'name this instant: a deploy, a release, anything to come back to',
  arguments: [['<kind>', 'deploy, release or a word of your own']],
  options: [
    ['--sha <sha>', 'the commit'],
    ['--author <name>', 'whose it is'],
    ['--note <text>', 'anything worth knowing'],
    ...SCOPE_OPTIONS,
  ],
  examples: ['holdfast mark deploy --sha 4f2c1e --author kim'],
  exits: { 5: 'nothing is protected here' },
  async run([kind], options, io) {
    const { aControlPlane } = await import('../control-plane/launch.ts');
    const { scopeFrom } = await import('../control-plane/scope.ts');
    const { formatInstant } = await import('../frame/when.ts');
    const { ask, client } = await aControlPlane(io);
    const given = (name: string) =>
      typeof options[name] === 'string' ? { [name]: options[name] } : {};
    const mark = await ask(
      client.POST('/v1/marks', {
        params: { query: scopeFrom(options) },
        body: { kind: String(kind), ...given('sha'), ...given('author'), ...given('note') },
      }),
    );
    const name = [mark.kind, mark.sha?.slice(0, 12)].filter(Boolean).join(' ');
    const { environment, stage, atMs } = mark;
    io.say(`${environment}/${stage} · ${name} marked at ${formatInstant(atMs, atMs)}`);
    io.say(`To the instant before it: holdfast recover --to "before ${name}"`);
    io.result(mark);
    return 0;
  },
};
