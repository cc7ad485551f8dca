/** Named instants of an environment. */
import { environmentFolder } from './names.ts';
import {
  namesWithin,
  type RecordsHome,
  readRecords,
  type TimeSpan,
  writeRecord,
} from './record-files.ts';
import type { Mark } from './records.ts';

/** The id must be made by `timedId(mark.atMs)`: listings by time go by it. */
export async function writeMark(home: RecordsHome, mark: Mark): Promise<void> {
  const folder = environmentFolder('marks', mark.environment, mark.stage);
  await writeRecord(home, 'mark', `${folder}${mark.id}`, mark);
}

/** Oldest first. */
export async function readMarks(
  home: RecordsHome,
  environment: string,
  stage: string,
  span: TimeSpan = {},
): Promise<Mark[]> {
  const names = await namesWithin(home, environmentFolder('marks', environment, stage), span);
  return await readRecords(home, 'mark', names);
}
