import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import type pg from 'pg';

/** The part of pg's protocol connection that replication and copies need and its types don't tell. */
export interface RawConnection extends EventEmitter {
  readonly stream: Duplex;
  query(text: string): void;
  sendCopyFromChunk(chunk: Uint8Array): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

/** What pg's client hands protocol messages to while a command runs. */
export interface RawCommand {
  submit(connection: RawConnection): void;
  handleRowDescription(message: { fields: { name: string }[] }): void;
  handleDataRow(message: { fields: (string | null)[] }): void;
  handleCommandComplete(message: { text: string }): void;
  handleCopyInResponse(): void;
  handleCopyData(message: { chunk: Buffer }): void;
  handleEmptyQuery(): void;
  handlePortalSuspended(): void;
  handleError(error: Error): void;
  handleReadyForQuery(): void;
}

export function rawConnectionOf(client: pg.Client): RawConnection {
  return (client as unknown as { connection: RawConnection }).connection;
}

export function submitRaw(client: pg.Client, command: RawCommand): void {
  (client as unknown as { query(command: RawCommand): void }).query(command);
}
