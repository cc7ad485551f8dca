import type pg from 'pg';
import { freeNow } from '#base';
import { errors } from '../errors.ts';
import { CopyTap } from './copy-tap.ts';
import { commandFailure } from './failures.ts';
import { LendingSocket } from './lending-socket.ts';
import { type RawCommand, type RawConnection, rawConnectionOf, submitRaw } from './raw.ts';

/** What a server says in answer to a replication command, in its order. */
export type ReplicationMessage =
  | { kind: 'columns'; names: string[] }
  | { kind: 'row'; values: (string | null)[] }
  | { kind: 'copy-begins'; direction: 'out' | 'both' }
  /** The receiver's own bytes: they stay as they are. `goesOn`: more of the message before, see `stream`. */
  | { kind: 'data'; bytes: Buffer; goesOn?: true }
  | { kind: 'copy-ends' }
  | { kind: 'complete'; tag: string };

export interface ReplicationStream {
  /**
   * All that arrived since the last batch, never empty; ends with the command. The socket is paused while more than
   * `HELD_BYTES` wait here. Leaving the loop early leaves the connection unusable: close it.
   * @throws postgres/command-failed, postgres/connection-lost, or the signal's reason
   */
  batches(): AsyncIterable<ReplicationMessage[]>;
  /** One CopyData message to the server. */
  send(bytes: Uint8Array): void;
  /** CopyDone to the server: this side sends no more. */
  sendDone(): void;
}

export interface ReplicationConnection {
  /** 150018 for 15.18. */
  readonly serverVersion: number;
  /** Of the server's process behind this connection. */
  readonly serverPid: number;
  /** Runs a command that answers rows, keyed by column name. One at a time. */
  query(command: string): Promise<Record<string, string | null>[]>;
  /**
   * Runs a command that answers by COPY. One at a time. With `inParts` long messages come in parts, as the network cut
   * them, and nothing is copied: the bytes of a batch hold until the next one is asked for.
   */
  stream(command: string, signal?: AbortSignal, options?: { inParts: boolean }): ReplicationStream;
  /** May be called at any time, twice too; breaks off what runs. */
  close(): Promise<void>;
}

/** Bytes that may wait for the consumer before the socket is paused. */
const HELD_BYTES = 4 * 2 ** 20;

export function replicationConnection(
  client: pg.Client,
  serverVersion: number,
): ReplicationConnection {
  const raw = rawConnectionOf(client);
  let broken: Error | undefined;
  // A running command hears of a cut itself; without one the next command is told.
  client.on('error', (error) => {
    broken ??= error;
  });
  const start = (command: string, inParts = false): Conversation => {
    if (broken) throw commandFailure(broken, firstWord(command));
    const conversation = new Conversation(command, raw, inParts);
    submitRaw(client, conversation);
    return conversation;
  };
  return {
    serverVersion,
    serverPid: (client as unknown as { processID: number }).processID,
    async query(command) {
      const conversation = start(command);
      let names: string[] = [];
      const rows: Record<string, string | null>[] = [];
      for await (const batch of conversation.batches()) {
        for (const message of batch) {
          if (message.kind === 'columns') names = message.names;
          else if (message.kind === 'row') rows.push(namedRow(names, message.values));
        }
      }
      return rows;
    },
    stream(command, signal, options) {
      signal?.throwIfAborted();
      const conversation = start(command, options?.inParts);
      if (signal) conversation.breakOffWith(signal);
      return conversation;
    },
    async close() {
      await client.end();
    },
  };
}

/** `BASE_BACKUP` of a command line: what may be shown of it. */
function firstWord(command: string): string {
  return command.split(' ', 1)[0] ?? command;
}

function namedRow(names: string[], values: (string | null)[]): Record<string, string | null> {
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? null]));
}

/** One command under way: takes messages from pg's parser and holds them until they are asked for. */
class Conversation implements RawCommand, ReplicationStream {
  readonly #command: string;
  readonly #connection: RawConnection;
  readonly #inParts: boolean;
  #waiting: ReplicationMessage[] = [];
  /** That the waiting messages lie in: not needed any more after them. */
  #memory: Buffer[] = [];
  #waitingBytes = 0;
  #paused = false;
  #ended = false;
  #failure: unknown;
  #wake: (() => void) | undefined;
  #release: () => void = () => {};

  constructor(command: string, connection: RawConnection, inParts: boolean) {
    this.#command = command;
    this.#connection = connection;
    this.#inParts = inParts;
  }

  breakOffWith(signal: AbortSignal): void {
    const onAbort = () => {
      this.#end(signal.reason);
      this.#connection.stream.destroy();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const release = this.#release;
    this.#release = () => {
      release();
      signal.removeEventListener('abort', onAbort);
    };
  }

  async *batches(): AsyncGenerator<ReplicationMessage[]> {
    while (true) {
      if (this.#waiting.length > 0) {
        const batch = this.#waiting;
        const memory = this.#memory;
        this.#waiting = [];
        this.#memory = [];
        this.#waitingBytes = 0;
        yield batch;
        for (const bytes of memory) this.#doneWith(bytes);
        // Only now: what was given out is consumed, so that bytes are held once and not twice.
        this.#resume();
        continue;
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return;
      this.#resume();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  send(bytes: Uint8Array): void {
    this.#connection.sendCopyFromChunk(bytes);
  }

  sendDone(): void {
    this.#connection.endCopyFrom();
  }

  submit(connection: RawConnection): void {
    // pg's client doesn't hand these on to the command that runs.
    const onCopyOut = () => this.#take({ kind: 'copy-begins', direction: 'out' });
    const onCopyBoth = () => this.#take({ kind: 'copy-begins', direction: 'both' });
    const onCopyDone = () => this.#take({ kind: 'copy-ends' });
    connection.on('copyOutResponse', onCopyOut);
    connection.on('replicationStart', onCopyBoth);
    connection.on('copyDone', onCopyDone);
    const release = this.#release;
    this.#release = () => {
      release();
      connection.off('copyOutResponse', onCopyOut);
      connection.off('replicationStart', onCopyBoth);
      connection.off('copyDone', onCopyDone);
    };
    if (this.#inParts) this.#tap(connection);
    connection.query(this.#command);
  }

  #tap(connection: RawConnection): void {
    const tap = new CopyTap(connection, {
      onPart: (bytes, goesOn) =>
        this.#takeData(goesOn ? { kind: 'data', bytes, goesOn } : { kind: 'data', bytes }),
      onMemory: (bytes) => this.#hold(bytes),
      onBroken: (error) => {
        this.#end(error);
        connection.stream.destroy();
      },
    });
    const { stream } = connection;
    if (stream instanceof LendingSocket) stream.isLending = true;
    const release = this.#release;
    this.#release = () => {
      release();
      tap.release();
      if (stream instanceof LendingSocket) stream.isLending = false;
    };
  }

  /** That parts lie in. All of it is held, however little of it arrived. */
  #hold(bytes: Buffer): void {
    this.#memory.push(bytes);
    this.#waitingBytes += bytes.buffer.byteLength - bytes.length;
    this.#pauseIfFull();
  }

  #doneWith(bytes: Buffer): void {
    const { stream } = this.#connection;
    if (stream instanceof LendingSocket) stream.giveBack(bytes);
    // By itself it would lie there until the garbage collector comes, and would bring it sooner; a part of something
    // larger is shared with others.
    else if (bytes.buffer.byteLength === bytes.length) freeNow(bytes.buffer);
  }

  handleRowDescription(message: { fields: { name: string }[] }): void {
    this.#take({ kind: 'columns', names: message.fields.map((field) => field.name) });
  }

  handleDataRow(message: { fields: (string | null)[] }): void {
    this.#take({ kind: 'row', values: message.fields });
  }

  handleCopyData(message: { chunk: Buffer }): void {
    // A copy: pg's parser writes over its buffer when it joins split messages.
    this.#takeData({ kind: 'data', bytes: Buffer.from(message.chunk) });
  }

  #takeData(message: ReplicationMessage & { kind: 'data' }): void {
    this.#waitingBytes += message.bytes.length;
    this.#take(message);
    this.#pauseIfFull();
  }

  #pauseIfFull(): void {
    if (this.#waitingBytes <= HELD_BYTES || this.#paused) return;
    this.#paused = true;
    this.#connection.stream.pause();
  }

  handleCommandComplete(message: { text: string }): void {
    this.#take({ kind: 'complete', tag: message.text });
  }

  handleCopyInResponse(): void {
    this.handleError(errors.protocolBroken(['it asks for a copy']));
  }

  handleEmptyQuery(): void {}

  handlePortalSuspended(): void {}

  handleError(error: Error): void {
    this.#end(commandFailure(error, firstWord(this.#command)));
  }

  handleReadyForQuery(): void {
    this.#end(undefined);
  }

  #take(message: ReplicationMessage): void {
    if (this.#ended) return;
    this.#waiting.push(message);
    this.#notify();
  }

  #end(failure: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#release();
    this.#resume();
    this.#notify();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#connection.stream.resume();
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
