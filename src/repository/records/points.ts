/** Recovery points of an environment. */
import { environmentFolder, timeOfId } from './names.ts';
import {
  lastPart,
  namesWithin,
  type RecordsHome,
  readRecord,
  readRecords,
  type TimeSpan,
  writeRecord,
} from './record-files.ts';
import type { RecoveryPoint } from './records.ts';

/** The id must be made by `timedId(point.atMs)`: listings by time go by it. */
export async function writePoint(home: RecordsHome, point: RecoveryPoint): Promise<void> {
  const folder = environmentFolder('points', point.environment, point.stage);
  await writeRecord(home, 'point', `${folder}${point.id}`, point);
}

/** Ids and instants alone, oldest first; reads none. */
export async function listPoints(
  home: RecordsHome,
  environment: string,
  stage: string,
  span: TimeSpan = {},
): Promise<{ id: string; atMs: number }[]> {
  const names = await namesWithin(home, environmentFolder('points', environment, stage), span);
  return names.map((name) => ({ id: lastPart(name), atMs: timeOfId(lastPart(name)) ?? 0 }));
}

/** Throws `repository/not-in-storage`. */
export async function readPoint(
  home: RecordsHome,
  environment: string,
  stage: string,
  id: string,
): Promise<RecoveryPoint> {
  return await readRecord(home, 'point', `${environmentFolder('points', environment, stage)}${id}`);
}

export async function readPoints(
  home: RecordsHome,
  environment: string,
  stage: string,
  span: TimeSpan = {},
): Promise<RecoveryPoint[]> {
  const names = await namesWithin(home, environmentFolder('points', environment, stage), span);
  return await readRecords(home, 'point', names);
}

export async function removePoint(
  home: RecordsHome,
  environment: string,
  stage: string,
  id: string,
): Promise<void> {
  await home.sealed.remove(`${environmentFolder('points', environment, stage)}${id}`);
}
