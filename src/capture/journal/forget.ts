/** Takes away the part of a journal that no kept base needs any more. */
import {
  listBatches,
  listPieces,
  type Position,
  type Repository,
  readCapture,
  removeCapture,
  removePiece,
  type StoreAddress,
} from '#repository';

export type ForgottenJournal = { batches: number; pieces: number };

/**
 * Removes pieces and batches that lie wholly before this position: on its line, and on all lines older than it. The
 * caller says the `start` of the oldest base that is kept. Blobs go with the next prune. May be called again after a
 * crash: of a batch, the record goes last.
 */
export async function forgetJournal(
  repository: Repository,
  address: StoreAddress,
  before: Position,
): Promise<ForgottenJournal> {
  const isBefore = (span: { line: number; to: bigint }) =>
    span.line < before.line || (span.line === before.line && span.to <= before.offset);
  const batches = (await listBatches(repository, address)).filter(isBefore);
  for (const batch of batches) {
    const { snapshot } = await readCapture(repository, batch);
    await repository.snapshots.remove(snapshot);
    await removeCapture(repository, { ...batch, address, kind: 'journal-batch' });
  }
  const pieces = (await listPieces(repository, address)).filter(isBefore);
  for (const piece of pieces) await removePiece(repository, piece);
  return { batches: batches.length, pieces: pieces.length };
}
