/** One command line from words to exit code: parse, run, say what failed. Nothing else ends the process. */
import { isHoldfastError } from '#base';
import type { ExitCode } from '../command.ts';
import { exitCodeOf, failureLines, failureOf } from './failure.ts';
import { createIo, type FrameIo, quietWhenReaderLeaves } from './io.ts';
import { type Catalogue, parseCommandLine } from './program.ts';
import { stopOnSignals } from './signals.ts';

export async function runCommandLine(
  catalogue: Catalogue,
  argv: readonly string[],
): Promise<ExitCode> {
  const stop = stopOnSignals();
  let readerLeft = false;
  quietWhenReaderLeaves(() => {
    readerLeft = true;
    stop.abort();
  });
  const json = argv.includes('--json');
  const io = createIo(json, stop.signal);
  let code: ExitCode;
  try {
    const parsed = parseCommandLine(catalogue, argv);
    if (parsed.kind === 'shown') code = 0;
    else {
      const { spec, args, options } = parsed.invocation;
      code = (await spec.run(args, options, io)) ?? 0;
    }
  } catch (error) {
    // `… | head`: what the reader wanted was given.
    code = readerLeft ? 0 : report(interruptionBehind(error, stop.signal), io);
  }
  await io.close();
  return code;
}

/** An abort surfaces in many shapes (AbortError, a broken pipe, the reason itself): the reason is what counts. */
function interruptionBehind(error: unknown, signal: AbortSignal): unknown {
  if (!signal.aborted || isHoldfastError(signal.reason) === false) return error;
  const isAbort = error === signal.reason || (error as { name?: unknown })?.name === 'AbortError';
  return isAbort ? signal.reason : error;
}

function report(error: unknown, io: FrameIo): ExitCode {
  const failure = failureOf(error);
  if (io.json) io.result({ error: failure });
  else {
    const debug = Boolean(process.env.HOLDFAST_DEBUG);
    for (const line of failureLines(failure, error, debug)) io.warn(line);
  }
  return exitCodeOf(failure.kind);
}
