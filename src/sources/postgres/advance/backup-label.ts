import { formatLsn, segmentName } from '../lsn.ts';

export type BackupLabel = {
  redo: bigint;
  checkpoint: bigint;
  timeline: number;
  segmentSizeBytes: number;
  startedAtMs: number;
  label: string;
};

/**
 * `backup_label` of a base that a standby gave (PostgreSQL: backup.sgml, xlogrecovery.c). Whoever starts on it begins at
 * `redo`, and is consistent where the control file says.
 */
export function backupLabelText(label: BackupLabel): string {
  const { redo, checkpoint, timeline, segmentSizeBytes, startedAtMs } = label;
  const time = new Date(startedAtMs).toISOString().slice(0, 19).replace('T', ' ');
  return [
    `START WAL LOCATION: ${formatLsn(redo)} (file ${segmentName(timeline, redo, segmentSizeBytes)})`,
    `CHECKPOINT LOCATION: ${formatLsn(checkpoint)}`,
    'BACKUP METHOD: streamed',
    'BACKUP FROM: standby',
    `START TIME: ${time} UTC`,
    `LABEL: ${label.label}`,
    `START TIMELINE: ${timeline}`,
    '',
  ].join('\n');
}
