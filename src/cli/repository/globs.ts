import type { Glob } from '#repository';
import { errors } from '../errors.ts';
import { listOf } from './session.ts';

/** Throws `cli/usage` for what is no pattern. */
export async function globsOf(
  patterns: unknown,
  command: string,
  options: { ignoreCase?: boolean } = {},
): Promise<Glob[]> {
  const { compileGlob } = await import('#repository');
  return listOf(patterns).map((pattern) => {
    const glob = compileGlob(pattern, options);
    if (!glob) throw errors.usage([`"${pattern}" is no pattern that can match a path`, command]);
    return glob;
  });
}
