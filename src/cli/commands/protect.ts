import type { CommandSpec, ExitCode, Io } from '../command.ts';
import type { ControlPlane, Schemas } from '../control-plane/client.ts';
import { SCOPE_OPTIONS } from '../control-plane/scope.ts';

type Capture = Schemas['Capture'];

async function untilEnded(
  { ask, client }: ControlPlane,
  started: Capture,
  io: Io,
): Promise<Capture> {
  let capture = started;
  while (capture.state === 'waiting' || capture.state === 'running') {
    io.signal.throwIfAborted();
    capture = await ask(
      client.GET('/v1/captures/{id}', {
        params: { path: { id: started.id }, query: { waitMs: 1_000 } },
        signal: io.signal,
      }),
    );
    io.progress({ step: `${capture.store}: capture`, ...capture.progress });
  }
  io.progress({ step: `${capture.store}: capture`, ended: { tookMs: 0 } });
  return capture;
}

async function say(capture: Capture, io: Io): Promise<void> {
  const { formatCount, formatDuration, formatSize } = await import('#base');
  if (capture.state === 'failed') {
    io.warn(`✗ ${capture.store}: ${capture.failure?.message ?? 'failed'}`);
    if (capture.failure?.guidance) io.warn(`  ${capture.failure.guidance}`);
    return;
  }
  const tookMs = (capture.endedAtMs ?? 0) - (capture.startedAtMs ?? 0);
  const sizes = `${formatSize(capture.bytes ?? 0)}, ${formatSize(capture.storedBytes ?? 0)} new in the repository`;
  const mark = capture.state === 'partial' ? '!' : '✓';
  io.say(`${mark} ${capture.store}  ${formatDuration(tookMs)}  ${sizes}`);
  for (const { path, what } of capture.problems) io.warn(`  ${path}: ${what}`);
  const more = capture.problemCount - capture.problems.length;
  if (more > 0) io.warn(`  and ${formatCount(more)} more`);
}

export const command: CommandSpec = {
  path: ['protect'],
  summary: 'capture one store, or all of them, now',
  arguments: [['[store]', 'by default every protected store']],
  options: [...SCOPE_OPTIONS, ['--no-wait', 'only start it']],
  examples: ['holdfast protect', 'holdfast protect uploads'],
  exits: {
    1: 'a capture failed; which and why is said',
    3: 'captured but for what is named',
    5: 'no such store',
  },
  async run([store], options, io) {
    const { aControlPlane } = await import('../control-plane/launch.ts');
    const { scopeFrom } = await import('../control-plane/scope.ts');
    const controlPlane = await aControlPlane(io);
    const { ask, client } = controlPlane;
    const started = await ask(
      client.POST('/v1/captures', {
        params: { query: scopeFrom(options) },
        body: typeof store === 'string' ? { store } : {},
      }),
    );
    if (options.wait === false) {
      io.result(started);
      io.say('Started. Look: holdfast status');
      return 0;
    }
    const ended = await Promise.all(started.map((one) => untilEnded(controlPlane, one, io)));
    for (const capture of ended) await say(capture, io);
    io.result(ended);
    return codeOf(ended);
  },
};

function codeOf(captures: readonly Capture[]): ExitCode {
  if (captures.some(({ state }) => state === 'failed')) return 1;
  return captures.some(({ state }) => state === 'partial') ? 3 : 0;
}
