/**
 * Pieces of a journal: short stretches, shipped as they come, one sealed file each. The name tells the span, the content
 * is the journal's bytes and nothing else; the seal binds one to the other.
 */
import { errors } from '../errors.ts';
import { type NamedSpan, parseSpan, piecesFolder, spanName } from '../records/names.ts';
import type { RecordsHome } from '../records/record-files.ts';
import type { StoreAddress } from '../records/records.ts';
import { removeIfAllowed } from '../sealed/remove-if-allowed.ts';
import { namesIn } from '../storage/names-in.ts';
import type { Storage } from '../storage/storage.ts';

/** No piece is longer: a reader needs no more memory than this for one. */
export const MAX_PIECE_BYTES = 16 * 2 ** 20;

export type JournalPiece = NamedSpan & { name: string };

/** Durable when it resolves. Writing the same span again replaces it with the same bytes. */
export async function writePiece(
  home: RecordsHome,
  address: StoreAddress,
  start: { line: number; from: bigint; latestMs: number },
  bytes: Uint8Array,
): Promise<JournalPiece> {
  const latestMs = Math.max(0, Math.floor(start.latestMs));
  const span = {
    line: start.line,
    from: start.from,
    to: start.from + BigInt(bytes.length),
    latestMs,
  };
  const name = `${piecesFolder(address)}${spanName(span)}`;
  if (bytes.length === 0 || bytes.length > MAX_PIECE_BYTES)
    throw errors.journalPieceDamaged([name, `${bytes.length} bytes can't be one piece`]);
  await home.sealed.write(name, bytes);
  return { ...span, name };
}

/** Of all stores, each once: from the names alone, so that no key is needed. They end with `/`. */
export async function pieceFolders(storage: Storage): Promise<string[]> {
  const folders = new Set<string>();
  for await (const name of namesIn(storage, 'holdfast/journal/')) {
    const folder = /^holdfast\/journal\/(?:[^/]+\/){3}pieces\//.exec(name)?.[0];
    if (folder !== undefined) folders.add(folder);
  }
  return [...folders].sort();
}

/** By line and offset, from the names alone. */
export async function listPieces(
  home: RecordsHome,
  address: StoreAddress,
): Promise<JournalPiece[]> {
  const folder = piecesFolder(address);
  const pieces: JournalPiece[] = [];
  for (const name of await home.sealed.list(folder)) {
    const span = parseSpan(name.slice(folder.length));
    if (span) pieces.push({ ...span, name });
  }
  return pieces;
}

/**
 * The bytes are the caller's own, and may be freed. Throws `repository/not-in-storage` where a batch has replaced it
 * meanwhile.
 */
export async function readPiece(home: RecordsHome, piece: JournalPiece): Promise<Buffer> {
  const bytes = await home.sealed.readAside(piece.name);
  const expected = piece.to - piece.from;
  if (BigInt(bytes.length) !== expected)
    throw errors.journalPieceDamaged([
      piece.name,
      `it holds ${bytes.length} bytes and should hold ${expected}`,
    ]);
  return bytes;
}

/** A batch holds the same. */
export async function removePiece(home: RecordsHome, piece: { name: string }): Promise<void> {
  await removeIfAllowed(home, piece.name);
}
