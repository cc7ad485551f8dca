/** Who carries out what the commands about recoveries ask for. */
import type { Io } from '../command.ts';
import type { Options, RecoveryAccess } from './access.ts';

/**
 * A running control plane, unless the options name a repository or a place: then, or where none runs, this process does
 * it with repository and password alone.
 */
export async function withRecoveryAccess<T>(
  options: Options,
  io: Io,
  work: (access: RecoveryAccess) => Promise<T>,
): Promise<T> {
  const { servedAccess } = await import('./served.ts');
  const served =
    options.repo === undefined && options.target === undefined
      ? await servedAccess(options, io)
      : undefined;
  const access = served ?? (await import('./direct.ts')).directAccess(options, io);
  try {
    return await work(access);
  } finally {
    await access.close();
  }
}
