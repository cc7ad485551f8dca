/** `recovery hydrate`: begins it or goes on, watches it, and has the recovery leave its mounts at the end. */
import { parseSizeBytes, sleepMs, systemClock } from '#base';
import type { ExitCode, Io } from '../command.ts';
import { errors } from '../errors.ts';
import type { Options, RecoveryAccess } from './access.ts';
import { chooseRecovery } from './choose-recovery.ts';
import { withRecoveryAccess } from './open-access.ts';
import { type ShownRecovery, withoutPasswords } from './report.ts';
import { lifeLines } from './show-life.ts';

const LOOK_EVERY_MS = 500;
/** A control plane tries again after half a minute what failed first. */
const COMES_BACK_WITHIN_MS = 60_000;

export async function hydrate(id: unknown, options: Options, io: Io): Promise<ExitCode> {
  if (options.pause === true && (options.resume === true || options.rate !== undefined)) {
    throw errors.pauseAlone([]);
  }
  const rate = rateFrom(options);
  return await withRecoveryAccess(options, io, async (access) => {
    const found = await chooseRecovery(access, id, ({ hydration }) => hydration !== undefined);
    if (options.pause === true) {
      const paused = await access.change('pause', found.id);
      for (const line of lifeLines(paused).slice(1)) io.say(line.trim());
      io.result(withoutPasswords(paused));
      return 0;
    }
    const begun = await access.hydrate(found.id, rate);
    return await untilItStandsAlone(access, begun, io);
  });
}

function rateFrom({ rate }: Options): number | undefined {
  if (rate === undefined) return undefined;
  const bytes = parseSizeBytes(String(rate));
  if (bytes === undefined || bytes < 1) throw errors.rateInvalid([String(rate)]);
  return bytes;
}

async function untilItStandsAlone(
  access: RecoveryAccess,
  begun: ShownRecovery,
  io: Io,
): Promise<ExitCode> {
  const { id } = begun;
  const isHere = await watch(access, id, io);
  if (!isHere) {
    const paused = await access.find(id);
    io.say('Paused by another command.');
    io.result(withoutPasswords(paused));
    return 0;
  }
  io.say('All of it is here. Its databases restart once now, and connections to them drop.');
  const recovery = await access.change('leave', id);
  io.result(withoutPasswords(recovery));
  const left = recovery.stores.filter(({ isMounted }) => isMounted).map(({ store }) => store);
  if (left.length > 0) {
    io.warn(
      `! ${left.join(', ')}: a program has it open, so it stays mounted. Close it, and run this again.`,
    );
    return 3;
  }
  io.say(`${id} stands on its own: nothing of it needs the repository any more.`);
  return 0;
}

/** False where somebody paused it. */
async function watch(access: RecoveryAccess, id: string, io: Io): Promise<boolean> {
  const step = 'bringing all of it here';
  let servedAtMs = systemClock.monotonicMs();
  for (;;) {
    const { hydration, unserved } = await access.find(id);
    if (!hydration || hydration.state === 'done') break;
    const nowMs = systemClock.monotonicMs();
    if (!unserved) servedAtMs = nowMs;
    else if (!access.isTended || nowMs - servedAtMs > COMES_BACK_WITHIN_MS) {
      throw errors.mountsLost([id]);
    }
    const { failure, presentBytes, totalBytes, state } = hydration;
    if (state === 'paused') return false;
    if (state === 'failed') throw errors.notHydrated([id, failure ?? 'it did not say why']);
    io.progress({ step, doneBytes: presentBytes, totalBytes });
    await sleepMs(LOOK_EVERY_MS, io.signal).catch((error: unknown) => {
      io.warn('It goes on in the background: holdfast recovery list');
      throw error;
    });
  }
  return true;
}
