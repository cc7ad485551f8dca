/** Recovery points: what of every store an instant of the whole environment is brought back from. */
import { systemClock, timedId } from '#base';
import { type RecordsHome, type RecoveryPoint, writePoint } from '#repository';

export type NewPoint = {
  environment: string;
  stage: string;
  /** Default: now. */
  atMs?: number;
  /** By store: id of the capture to begin from. */
  stores: Record<string, { capture: string }>;
  /** Capture id of the infrastructure files. */
  infrastructure?: string;
  services?: Record<string, { version?: string }>;
};

/** Durable when it resolves. Call it after each capture, and at each mark. */
export async function notePoint(home: RecordsHome, point: NewPoint): Promise<RecoveryPoint> {
  const atMs = point.atMs ?? systemClock.nowMs();
  const record: RecoveryPoint = {
    ...point,
    id: timedId(atMs),
    atMs,
    services: point.services ?? {},
  };
  await writePoint(home, record);
  return record;
}
