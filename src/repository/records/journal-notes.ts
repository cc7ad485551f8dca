/** What is noted of a journal beside its pieces: lines, gaps, and how far it had come when. */
import { gapName, lineName, parseWatermarkName, storeFolder, watermarkName } from './names.ts';
import { type RecordsHome, readRecords, writeRecord } from './record-files.ts';
import type { JournalGap, JournalLine, StoreAddress, Watermark } from './records.ts';

/** Writing the same line again replaces it. */
export async function writeLine(
  home: RecordsHome,
  address: StoreAddress,
  line: JournalLine,
): Promise<void> {
  await writeRecord(home, 'line', lineName(address, line.line), line);
}

export async function readLines(home: RecordsHome, address: StoreAddress): Promise<JournalLine[]> {
  const names = await home.sealed.list(`${storeFolder('journal', address)}lines/`);
  return await readRecords(home, 'line', names);
}

/** Writing a gap with the same id and beginning again replaces it: that is how its end is noted. */
export async function writeGap(home: RecordsHome, gap: JournalGap): Promise<void> {
  await writeRecord(home, 'gap', gapName(gap.address, gap.from, gap.id), gap);
}

/** By line and offset. */
export async function readGaps(home: RecordsHome, address: StoreAddress): Promise<JournalGap[]> {
  const names = await home.sealed.list(`${storeFolder('journal', address)}gaps/`);
  return await readRecords(home, 'gap', names);
}

export async function writeWatermark(
  home: RecordsHome,
  address: StoreAddress,
  watermark: Watermark,
): Promise<void> {
  const name = watermarkName(address, watermark.atMs, watermark.position);
  await writeRecord(home, 'watermark', name, watermark);
}

/** Oldest first; names carry all of it, so none is read. */
export async function listWatermarks(
  home: RecordsHome,
  address: StoreAddress,
): Promise<Watermark[]> {
  const names = await home.sealed.list(`${storeFolder('journal', address)}watermarks/`);
  return names
    .map(parseWatermarkName)
    .filter((watermark): watermark is Watermark => watermark !== undefined);
}

export async function removeWatermark(
  home: RecordsHome,
  address: StoreAddress,
  watermark: Watermark,
): Promise<void> {
  await home.sealed.remove(watermarkName(address, watermark.atMs, watermark.position));
}
