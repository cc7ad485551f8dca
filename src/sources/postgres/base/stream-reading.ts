import type { CaptureEvent } from '../../source.ts';
import type { PostgresConfig } from '../config.ts';
import type { ReplicationConnection } from '../connection/index.ts';
import { baseBackupCommand } from './command.ts';
import { ContentWindow } from './content-window.ts';
import { type BackupEventOptions, BackupEvents, type FinishedBackup } from './events.ts';
import { backupItems } from './items.ts';

/** How the data of a base comes here. */
export interface BaseReading {
  events(): AsyncGenerator<CaptureEvent>;
  /**
   * After the events are exhausted.
   * @throws postgres/manifest-mismatch, postgres/wal-missing, postgres/protocol-broken
   */
  finished(): FinishedBackup;
  /** Frees what is only its own; may be called at any time, twice too. */
  close(): Promise<void>;
}

export type StreamReadingParts = {
  connection: ReplicationConnection;
  options: BackupEventOptions;
  own: Pick<PostgresConfig, 'checkpoint' | 'verifyPages' | 'maxRate'>;
  label: string;
  signal: AbortSignal;
};

/** The server sends it, by BASE_BACKUP. */
export class StreamReading implements BaseReading {
  readonly #parts: StreamReadingParts;
  readonly #window = new ContentWindow();
  readonly #events: BackupEvents;

  constructor(parts: StreamReadingParts) {
    this.#parts = parts;
    this.#events = new BackupEvents(parts.options, this.#window);
  }

  events(): AsyncGenerator<CaptureEvent> {
    const { connection, own, label, signal } = this.#parts;
    const command = baseBackupCommand(connection.serverVersion, {
      label,
      checkpoint: own.checkpoint,
      verifyChecksums: own.verifyPages,
      ...(own.maxRate === undefined ? {} : { maxRateBytes: own.maxRate }),
    });
    const stream = connection.stream(command, signal, { inParts: true });
    return this.#events.from(backupItems(stream, connection.serverVersion, this.#window));
  }

  finished(): FinishedBackup {
    return this.#events.finished();
  }

  async close(): Promise<void> {
    // The connection is its owner's.
  }
}
