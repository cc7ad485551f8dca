/** What came back by itself. */
import { removeIfAllowed } from '../sealed/remove-if-allowed.ts';
import { MENDS_FOLDER, mendName, timeOfId } from './names.ts';
import { type RecordsHome, readRecords, writeRecord } from './record-files.ts';
import type { Mend } from './records.ts';

export async function writeMend(home: RecordsHome, mend: Mend): Promise<void> {
  await writeRecord(home, 'mend', mendName(mend.id), mend);
}

/** What has been brought back by itself since an instant, oldest first. Older ones aren't read. */
export async function listMends(home: RecordsHome, sinceMs = 0): Promise<Mend[]> {
  const names = (await home.sealed.list(MENDS_FOLDER)).filter(
    (name) => (timeOfId(name.slice(MENDS_FOLDER.length)) ?? 0) >= sinceMs,
  );
  return await readRecords(home, 'mend', names);
}

/** Takes away all notes but the newest; with credentials that may only add, they stay. */
export async function thinMends(home: RecordsHome, keep: number): Promise<void> {
  const names = await home.sealed.list(MENDS_FOLDER);
  for (const name of names.slice(0, Math.max(0, names.length - keep))) {
    if (!(await removeIfAllowed(home, name))) return;
  }
}
