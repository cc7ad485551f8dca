/** Every kind of store that Holdfast knows: one line for each. */
import { filesSource } from './files/files.ts';
import { postgresSource } from './postgres/index.ts';
import type { Source } from './source.ts';

// Each checks its own settings by its own schema, so here they are seen without them.
const ALL: readonly Source[] = [filesSource, postgresSource];

export function findSource(type: string): Source | undefined {
  return ALL.find((source) => source.type === type);
}

/** In the order in which they are offered to people. */
export function sourceTypes(): string[] {
  return ALL.map((source) => source.type);
}
