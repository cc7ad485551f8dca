/**
 * Tables streamed in and out by COPY (PostgreSQL documentation, "COPY Operations"): the bytes pass through, so that a
 * row of any size needs no more memory here than the network's pieces.
 */
import { once } from 'node:events';
import type pg from 'pg';
import { errors } from '../errors.ts';
import { commandFailure } from './failures.ts';
import { type RawCommand, type RawConnection, rawConnectionOf, submitRaw } from './raw.ts';
import { replicationConnection } from './replication.ts';
import { type SqlConnection, sqlConnection } from './sql.ts';

export interface CopyConnection extends SqlConnection {
  /**
   * What `COPY … TO STDOUT` answers, in pieces as the network cut them; each batch holds until the next is asked for.
   * Leaving the loop early leaves the connection unusable: close it.
   */
  copyOut(command: string, signal: AbortSignal): AsyncIterable<Uint8Array[]>;
  /**
   * Feeds `COPY … FROM STDIN`; resolves to the number of rows. Where `bytes` fails the copy is refused to the server and
   * its failure thrown.
   */
  copyIn(
    command: string,
    bytes: AsyncIterable<readonly Uint8Array[]>,
    signal: AbortSignal,
  ): Promise<number>;
}

export function copyConnection(client: pg.Client, serverVersion: number): CopyConnection {
  const sql = sqlConnection(client, serverVersion);
  const streams = replicationConnection(client, serverVersion);
  return {
    ...sql,
    async *copyOut(command, signal) {
      const stream = streams.stream(command, signal, { inParts: true });
      for await (const batch of stream.batches()) {
        yield batch.flatMap((message) => (message.kind === 'data' ? [message.bytes] : []));
      }
    },
    async copyIn(command, bytes, signal) {
      signal.throwIfAborted();
      const copying = new CopyIn(command, bytes, rawConnectionOf(client), signal);
      submitRaw(client, copying);
      return await copying.ended;
    },
  };
}

/** One COPY FROM STDIN under way. */
class CopyIn implements RawCommand {
  readonly ended: Promise<number>;
  readonly #command: string;
  readonly #bytes: AsyncIterable<readonly Uint8Array[]>;
  readonly #connection: RawConnection;
  readonly #signal: AbortSignal;
  readonly #settled = Promise.withResolvers<number>();
  #rows = 0;
  #failure: unknown;
  /** That of `bytes`: the server's answer to it only says that it was told. */
  #sourceFailure: unknown;
  #pumping: Promise<void> = Promise.resolve();
  /** Aborted when the server wants no more. */
  readonly #over = new AbortController();

  constructor(
    command: string,
    bytes: AsyncIterable<readonly Uint8Array[]>,
    connection: RawConnection,
    signal: AbortSignal,
  ) {
    this.#command = command;
    this.#bytes = bytes;
    this.#connection = connection;
    this.#signal = signal;
    this.ended = this.#settled.promise;
  }

  submit(connection: RawConnection): void {
    connection.query(this.#command);
  }

  handleCopyInResponse(): void {
    this.#pumping = this.#pump();
  }

  async #pump(): Promise<void> {
    try {
      for await (const batch of this.#bytes) {
        for (const bytes of batch) {
          if (this.#over.signal.aborted) return;
          this.#connection.sendCopyFromChunk(bytes);
        }
        await this.#drained();
        this.#signal.throwIfAborted();
      }
      if (!this.#over.signal.aborted) this.#connection.endCopyFrom();
    } catch (error) {
      if (this.#over.signal.aborted) return;
      this.#sourceFailure = error;
      this.#connection.sendCopyFail('what was to be copied failed');
    }
  }

  async #drained(): Promise<void> {
    const { stream } = this.#connection;
    if (!stream.writableNeedDrain) return;
    const signal = AbortSignal.any([this.#over.signal, this.#signal]);
    // A server that ended the copy, or an interrupt, wakes it too; both are looked at by who called.
    await once(stream, 'drain', { signal }).catch(() => {});
  }

  handleCommandComplete(message: { text: string }): void {
    this.#rows = Number(message.text.split(' ').at(-1));
  }

  /** pg says nothing more to a command that failed; what comes next waits for the server by itself. */
  handleError(error: Error): void {
    this.#failure = error;
    this.#over.abort();
    this.#settle();
  }

  handleReadyForQuery(): void {
    this.#over.abort();
    this.#settle();
  }

  #settle(): void {
    void this.#pumping.then(() => {
      const failure = this.#sourceFailure ?? this.#failure;
      if (failure === undefined) this.#settled.resolve(this.#rows);
      else this.#settled.reject(commandFailureOf(failure, this.#sourceFailure !== undefined));
    });
  }

  handleCopyData(): void {
    this.handleError(errors.protocolBroken(['it sends a copy where it should take one']));
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
}

const commandFailureOf = (failure: unknown, isOfSource: boolean): unknown =>
  isOfSource ? failure : commandFailure(failure, 'COPY');
