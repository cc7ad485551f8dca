import { HoldfastError } from '#base';

const LOSSES: ReadonlySet<string> = new Set(
  [
    ...['not-in-storage', 'short-read', 'file-damaged', 'pack-damaged', 'blob-damaged'],
    ...['blob-missing', 'blob-too-large', 'tree-damaged', 'not-authentic'],
  ].map((name) => `repository/${name}`),
);

/** True where what is stored is damaged or gone. A storage that doesn't answer has lost nothing: never repair for that. */
export function isLoss(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && LOSSES.has(error.code);
}
