import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { Io } from '../command.ts';
import { untilCaptured } from './apply.ts';
import { connect, type Schemas } from './client.ts';

const servers: http.Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A control plane that answers with these statuses, the last one for ever. */
async function answering(statuses: Partial<Schemas['StoreStatus']>[]) {
  let at = 0;
  const server = http.createServer((_request, response) => {
    const store = statuses[Math.min(at, statuses.length - 1)];
    at += 1;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ stores: [{ name: 'orders', captures: 0, ...store }] }));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return connect({ url: `http://127.0.0.1:${port}`, token: 'none', pid: undefined });
}

function listening(): { io: Io; warned: string[] } {
  const warned: string[] = [];
  const io = {
    progress() {},
    warn: (line: string) => warned.push(line),
    signal: new AbortController().signal,
  };
  return { io: io as unknown as Io, warned };
}

const scope = { environment: 'shop', stage: 'production' };

test('waiting for first captures ends where nothing moves, and names what it waited for', async () => {
  const says = 'nothing is heard of it yet';
  const plane = await answering([{ verdict: 'unknown', says }]);
  const { io, warned } = listening();
  const status = await untilCaptured(plane, scope, io, 300);
  expect(status.stores[0]?.verdict).toBe('unknown');
  expect(warned[0]).toMatch(/^! orders: nothing has moved for .* \(nothing is heard of it yet\)$/);
});

test('it goes on as long as something moves, and ends with the capture', async () => {
  const moving = (doneBytes: number) => ({
    verdict: 'unknown' as const,
    running: { step: 'capture', doneBytes },
  });
  const plane = await answering([...[1, 2, 3, 4].map(moving), { verdict: 'met', captures: 1 }]);
  const { io, warned } = listening();
  expect((await untilCaptured(plane, scope, io, 300)).stores[0]?.verdict).toBe('met');
  expect(warned).toEqual([]);
});
