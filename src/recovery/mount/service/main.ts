/**
 * The process that serves mounts: whatever uses them runs elsewhere, for a program that waits for a mount that it serves
 * itself waits for ever. Ends by itself when nothing has been mounted for a while.
 */
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { HoldfastError, lockFile, messageOf, Secret } from '#base';
import {
  openStorage,
  reopenRepository,
  type S3Options,
  type Storage,
  withRangeCache,
} from '#repository';
import { clearServiceFolder, rangeCacheFolder, startLockOf } from './folder.ts';
import {
  messagesOf,
  type ServiceMessage,
  type ServiceRequest,
  type ServiceStart,
  sendMessage,
} from './protocol.ts';
import { MountService } from './service.ts';

const IDLE_MS = 5_000;
const READY_EVERY_MS = 300_000;

process.once('message', (start) => {
  serve(start as ServiceStart).catch((error: unknown) => {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exit(1);
  });
});

async function serve(start: ServiceStart): Promise<void> {
  const { masterKey, url, socket } = start;
  const storage = await openStorage(url, start.s3 ? { s3: withSecrets(start.s3) } : {});
  const { cached, refusal } = cachedNearby(storage, start.repositoryId);
  const repository = await reopenRepository({ storage: cached, masterKey });
  const service = new MountService(repository, refusal);
  const holders = new Set<net.Socket>();
  const holding: Holding = { holders, wasHeld: false, endUnheld };
  const server = net.createServer((connection) => {
    void answer(service, connection, holding).then(async () => {
      if (holders.delete(connection)) await endUnheld();
    });
  });
  fs.rmSync(socket, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(socket, resolve);
  });
  const folder = path.dirname(socket);
  const end = async () => {
    server.close();
    fs.rmSync(socket, { force: true });
    await service.close();
    process.exit(0);
  };
  // Whoever starts one meanwhile waits, and finds either this one or nothing.
  const endIdle = async () => {
    const lock = await lockFile(startLockOf(folder));
    if (!lock || !service.isEmpty || holders.size > 0) return await lock?.release();
    server.close();
    await clearServiceFolder(folder);
    await end();
  };
  // At once, not when it has been idle for a while: whoever held it knows best that it isn't needed.
  async function endUnheld(): Promise<void> {
    if (holding.wasHeld && holders.size === 0 && service.isEmpty) await endIdle();
  }
  endWhenIdle(server, service, endIdle);
  keepReady(service, holders);
  process.once('SIGTERM', () => void end());
  process.send?.('ready');
  process.disconnect?.();
}

/** Reading goes on without the cache where its disk is full; why is said, once. */
function cachedNearby(storage: Storage, repositoryId: string) {
  const folder = rangeCacheFolder();
  const refused: string[] = [];
  const onRefused = (error: Error) => {
    if (refused.length > 0) return;
    const what = `nothing more is kept in ${folder}, so everything is fetched again: ${error.message}`;
    refused.push(what);
    process.stderr.write(`${what}\n`);
  };
  const cached = withRangeCache(storage, repositoryId, { folder, onRefused });
  return { cached, refusal: () => refused };
}

type Holding = {
  /** Connections of those that want it to stay. */
  holders: Set<net.Socket>;
  /** Whether there ever was one. */
  wasHeld: boolean;
  /** Nothing where nobody ever held it, somebody does, or something is mounted. */
  endUnheld(): Promise<void>;
};

async function answer(
  service: MountService,
  connection: net.Socket,
  holding: Holding,
): Promise<void> {
  const say = (message: ServiceMessage) => {
    if (connection.writable) sendMessage(connection, message);
  };
  const gone = new AbortController();
  connection.once('close', () => gone.abort(new Error('whoever asked has gone')));
  try {
    for await (const request of messagesOf(connection)) {
      hold(request as ServiceRequest, connection, holding);
      // Here and not outside: leaving the loop by an error closes the connection before it could be told.
      const work = carryOut(service, request as ServiceRequest, gone.signal, say);
      const said = await work.then((answer) => ({ kind: 'done', answer }) as const, failureMessage);
      await endAfter(request as ServiceRequest, gone.signal, holding);
      say(said);
    }
  } catch {
    // What came was no message, or whoever spoke has gone: there is nobody to be told.
  }
  connection.end();
}

function hold({ ask }: ServiceRequest, connection: net.Socket, holding: Holding): void {
  if (ask === 'leave') holding.holders.delete(connection);
  if (ask !== 'stay') return;
  holding.holders.add(connection);
  holding.wasHeld = true;
}

/** Before it is answered: who hears that the last mount has gone finds no process of it any more. */
async function endAfter({ ask }: ServiceRequest, gone: AbortSignal, { endUnheld }: Holding) {
  if (ask === 'leave' || ask === 'unmount' || gone.aborted) await endUnheld();
}

async function carryOut(
  service: MountService,
  request: ServiceRequest,
  signal: AbortSignal,
  say: (message: ServiceMessage) => void,
): Promise<unknown> {
  if (request.ask === 'clone') return await service.clone(request, signal);
  if (request.ask === 'unmount') return await service.unmount(request.mountPoint);
  if (request.ask === 'list') return service.list();
  if (request.ask === 'stay') return await service.makeReady(request.stores);
  if (request.ask === 'leave') return undefined;
  if (request.ask === 'settle') return service.settle(request.mountPoint);
  if (request.ask === 'pause-hydrating') return await service.pauseHydrating(request.mountPoint);
  if (request.ask === 'keep-hydrating') {
    return service.keepHydrating(request.mountPoint, request.bytesPerSecond);
  }
  const { mountPoint } = request;
  return await service.hydrate(mountPoint, signal, (progress) =>
    say({ kind: 'progress', progress }),
  );
}

function failureMessage(error: unknown): ServiceMessage {
  if (error instanceof HoldfastError) {
    const { code, kind, message, guidance } = error;
    return { kind: 'failed', code, errorKind: kind, message, guidance };
  }
  const guidance = 'See the log of the mount service.';
  const message = messageOf(error);
  return { kind: 'failed', code: 'recovery/mount', errorKind: 'failed', message, guidance };
}

/** Looked at now and then: nothing hangs on the very second. */
function endWhenIdle(server: net.Server, service: MountService, end: () => Promise<void>): void {
  let emptyChecks = 0;
  const everyMs = IDLE_MS / 5;
  setInterval(() => {
    server.getConnections((_, count) => {
      emptyChecks = service.isEmpty && count === 0 ? emptyChecks + 1 : 0;
      if (emptyChecks < 5) return;
      emptyChecks = 0;
      void end();
    });
  }, everyMs);
}

/** What was stored meanwhile is looked up now, and not by the next mount. */
function keepReady(service: MountService, holders: ReadonlySet<net.Socket>): void {
  setInterval(() => {
    if (holders.size === 0) return;
    service.makeReady().catch(() => {
      // Told to the next one who mounts, where it still can't be read then.
    });
  }, READY_EVERY_MS);
}

/** Options as they came over the channel, their secrets wrapped again. */
function withSecrets(plain: Record<string, unknown>): S3Options {
  const { credentials, ...others } = plain as S3Options & {
    credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  };
  if (!credentials) return others;
  const { accessKeyId, secretAccessKey, sessionToken } = credentials as unknown as Record<
    string,
    string
  >;
  return {
    ...others,
    credentials: {
      accessKeyId: accessKeyId ?? '',
      secretAccessKey: new Secret(secretAccessKey ?? ''),
      ...(sessionToken === undefined ? {} : { sessionToken: new Secret(sessionToken) }),
    },
  };
}
