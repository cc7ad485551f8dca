import type { Repository } from '../repository.ts';
import { openWriter, type WriterOptions } from './open-writer.ts';
import type { RepositoryWriter, WriterStats } from './writer.ts';

export type Written<T> = { saved: T; stats: WriterStats };

/** A whole session of writing: all that `work` saved is durable when this resolves; where it throws, it is given up. */
export async function withWriter<T>(
  repository: Repository,
  options: WriterOptions,
  work: (writer: RepositoryWriter) => Promise<T>,
): Promise<Written<T>> {
  const writer = await openWriter(repository, options);
  try {
    const saved = await work(writer);
    return { saved, stats: await writer.finish() };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}
