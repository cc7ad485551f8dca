import type { CommandSpec } from '../command.ts';
import { DECLARATION_OPTIONS } from '../control-plane/apply.ts';

export const command: CommandSpec = {
  path: ['apply'],
  summary: 'take up a changed holdfast.yaml; what did not change goes on',
  options: DECLARATION_OPTIONS,
  examples: ['holdfast apply', 'holdfast apply -e staging'],
  exits: {
    2: 'the declaration is invalid, each problem with its line',
    4: 'refused: wrong password, or a repository that another control plane owns',
    6: 'with --wait: a store could not be captured',
  },
  async run(_args, options, io) {
    const { applyTo, declarationFrom, sayApplied, untilCaptured } = await import(
      '../control-plane/apply.ts'
    );
    const { aControlPlane } = await import('../control-plane/launch.ts');
    const declaration = await declarationFrom(options);
    const controlPlane = await aControlPlane(io);
    const applied = await applyTo(controlPlane, declaration, io);
    sayApplied(applied, io);
    if (options.wait === true) {
      const { environment, stage } = applied;
      const status = await untilCaptured(controlPlane, { environment, stage }, io);
      io.result({ ...applied, status });
      if (status.missed + status.unknown > 0) return 6;
    } else {
      io.result(applied);
    }
    io.say('Look: holdfast status');
    return 0;
  },
};
