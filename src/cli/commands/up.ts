import type { CommandSpec, ExitCode, Io } from '../command.ts';
import type { Declaration } from '../control-plane/apply.ts';
import { DECLARATION_OPTIONS } from '../control-plane/apply.ts';
import type { ControlPlane } from '../control-plane/client.ts';

/** Resolves to the exit code that the state of things deserves. */
async function bringUp(
  controlPlane: ControlPlane,
  declaration: Declaration,
  options: Record<string, unknown>,
  io: Io,
): Promise<ExitCode> {
  const { applyTo, sayApplied, untilCaptured } = await import('../control-plane/apply.ts');
  const applied = await applyTo(controlPlane, declaration, io);
  sayApplied(applied, io);
  const { pid, url } = controlPlane.address;
  if (options.wait !== true) {
    io.result({ ...applied, pid, url });
    return 0;
  }
  const { environment, stage } = applied;
  const status = await untilCaptured(controlPlane, { environment, stage }, io);
  const { statusLines } = await import('../control-plane/show-status.ts');
  io.say();
  for (const line of statusLines(status, io.columns)) io.say(line);
  io.result({ ...applied, pid, url, status });
  return status.missed + status.unknown > 0 ? 6 : 0;
}

async function inBackground(
  declaration: Declaration,
  options: Record<string, unknown>,
  io: Io,
): Promise<ExitCode> {
  const { launchInBackground, shutDown } = await import('../control-plane/launch.ts');
  const controlPlane = await launchInBackground(io);
  let code: ExitCode;
  try {
    code = await bringUp(controlPlane, declaration, options, io);
  } catch (error) {
    // What was started for nothing is taken back; the reason is what must be told.
    await shutDown(controlPlane, { dropSlots: false }, io).catch(() => {});
    throw error;
  }
  const { pid } = controlPlane.address;
  io.say();
  io.say(`Running in the background (pid ${pid}). Look: holdfast status. Stop: holdfast down`);
  return code;
}

async function here(
  declaration: Declaration,
  options: Record<string, unknown>,
  io: Io,
): Promise<ExitCode> {
  const { serveHere } = await import('../control-plane/launch.ts');
  await serveHere(io, async (controlPlane) => {
    await bringUp(controlPlane, declaration, options, io);
    io.say();
    io.say('Running. Look: holdfast status. Stop: Ctrl-C or holdfast down');
  });
  io.say('Stopped. Whatever was cut goes on at the next start: holdfast up');
  return 0;
}

export const command: CommandSpec = {
  path: ['up'],
  summary: 'protect what holdfast.yaml declares: serve and apply, on this machine',
  options: [
    ['-d, --detach', 'in the background; it goes on when you log out'],
    ...DECLARATION_OPTIONS,
  ],
  examples: ['holdfast up', 'holdfast up -d --wait', 'holdfast up -d -f infra/holdfast.yaml'],
  exits: {
    1: 'it failed; what and where is said',
    2: 'the declaration is invalid, each problem with its line',
    4: 'refused: wrong password, or a repository that another control plane owns',
    6: 'with --wait: a store could not be captured',
  },
  async run(_args, options, io) {
    const { declarationFrom } = await import('../control-plane/apply.ts');
    const { connect, findControlPlane } = await import('../control-plane/client.ts');
    const declaration = await declarationFrom(options);
    const running = await findControlPlane();
    if (running) {
      const who = running.pid === undefined ? running.url : `pid ${running.pid}`;
      io.say(`A control plane runs already (${who}); it takes up the declaration.`);
      return bringUp(connect(running), declaration, options, io);
    }
    return options.detach === true
      ? inBackground(declaration, options, io)
      : here(declaration, options, io);
  },
};
