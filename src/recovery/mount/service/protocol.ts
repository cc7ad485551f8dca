/**
 * What is said to a mount service and what it says: over a socket in a folder that only its user can enter, one request
 * a connection. Each message is its length (u32, little-endian) and V8's serialisation of a plain value.
 */
import type { Socket } from 'node:net';
import v8 from 'node:v8';
import type { ErrorKind } from '#base';
import type { RootMetadata, StoreAddress } from '#repository';
import type { RestoreProblem } from '../../restore/request.ts';
import type { LazyPlaces } from '../lazy/lay-out.ts';
import type { HydrationProgress } from '../lazy/mount-folder.ts';
import type { HydrationShown } from './background-hydration.ts';

export type { HydrationShown };

export type CloneRequest = LazyPlaces & {
  /** Made where it is absent. */
  mountPoint: string;
  /** Snapshot that it belongs to: kept by a lease as long as it is mounted. */
  snapshot: string;
  /** Hex id of the directory in the repository that is shown there. */
  tree: string;
  /** Paths that are read first by whatever starts on it (`Source.readFirst`): from afar they are fetched at once. */
  early?: readonly RegExp[];
  /** Of the capture (`CaptureRecord.blockMap`), where it has one. */
  blockMap?: string;
  /** What is known of that directory itself (`CaptureRecord.root`). */
  root?: RootMetadata;
  /** See `mountFolder`. */
  hasXattrs: boolean;
  writesBehind: boolean;
  /** User that everything is given to; undefined: the recorded owners. */
  owner?: string;
};

export type ServiceRequest =
  | ({ ask: 'clone' } & CloneRequest)
  | { ask: 'hydrate'; mountPoint: string }
  /** In the background: answered at once. Absent: as fast as it goes. */
  | { ask: 'keep-hydrating'; mountPoint: string; bytesPerSecond?: number }
  | { ask: 'pause-hydrating'; mountPoint: string }
  /** In the background: answered at once. */
  | { ask: 'settle'; mountPoint: string }
  | { ask: 'unmount'; mountPoint: string }
  | { ask: 'list' }
  /**
   * Answered when the next mount finds everything at hand, that of the newest capture of these stores above all. The
   * service stays as long as the connection does.
   */
  | { ask: 'stay'; stores: readonly StoreAddress[] }
  /** Takes that back: ends the service, and answers only where something keeps it. */
  | { ask: 'leave' };

/** What was laid out; nothing where that had been done before. */
export type CloneAnswer = { problems: RestoreProblem[] };

export type MountShown = {
  mountPoint: string;
  /** Plain bytes of the repository that were needed so far. */
  readBytes: number;
  /** How much of it is here, by whatever way it came; whole pages. */
  presentBytes: number;
  totalBytes: number;
  hydration: HydrationShown;
  /** What couldn't be read from the repository, in words; the first ones. */
  failures: string[];
};

export type ServiceMessage =
  | { kind: 'progress'; progress: HydrationProgress }
  | { kind: 'done'; answer: unknown }
  | { kind: 'failed'; code: string; errorKind: ErrorKind; message: string; guidance: string };

/** How a service gets at its repository; handed over once, in memory, when it is started. */
export type ServiceStart = {
  socket: string;
  repositoryId: string;
  url: string;
  /** As `openStorage` takes it, with its secrets plain. */
  s3: Record<string, unknown> | undefined;
  masterKey: { encrypt: Uint8Array; macK: Uint8Array; macR: Uint8Array };
};

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

export function sendMessage(socket: Socket, message: ServiceRequest | ServiceMessage): void {
  const bytes = v8.serialize(message);
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32LE(bytes.length, 0);
  socket.write(Buffer.concat([length, bytes]));
}

/** Ends with the connection. Throws where it breaks, or where what comes is no message. */
export async function* messagesOf(socket: Socket): AsyncGenerator<unknown> {
  let held = Buffer.alloc(0);
  for await (const bytes of socket as AsyncIterable<Buffer>) {
    held = Buffer.concat([held, bytes]);
    while (held.length >= 4) {
      const length = held.readUInt32LE(0);
      if (length > MAX_MESSAGE_BYTES) throw new Error('a message of the mount service is too long');
      if (held.length < 4 + length) break;
      yield v8.deserialize(held.subarray(4, 4 + length));
      held = held.subarray(4 + length);
    }
  }
}
