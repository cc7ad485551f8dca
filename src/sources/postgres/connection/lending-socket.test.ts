import net from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { LendingSocket } from './lending-socket.ts';

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

/** Connected with a server; `next` sends so much from there and answers what `data` gave. */
async function connected() {
  const server = net.createServer();
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const peer = new Promise<net.Socket>((resolve) => server.once('connection', resolve));
  const socket = new LendingSocket();
  open.push({ close: () => socket.destroy() });
  socket.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const other = await peer;
  const next = (text: string): Promise<Buffer> =>
    new Promise((resolve) => {
      socket.once('data', resolve);
      other.write(text);
    });
  return { socket, other, next };
}

test('gives copies until it lends', async () => {
  const { next } = await connected();
  const first = await next('one');
  await next('two');
  expect(first.toString()).toBe('one');
});

test('what it lends stays as it is until it is given back, and is used again then', async () => {
  const { socket, next } = await connected();
  socket.isLending = true;
  const first = await next('one');
  const second = await next('two');
  expect([first, second].map(String)).toEqual(['one', 'two']);
  socket.giveBack(first);
  // The next read has its memory already; the one after it takes what came back.
  await next('three');
  const fourth = await next('four');
  expect(fourth.buffer).toBe(first.buffer);
  expect([second, fourth].map(String)).toEqual(['two', 'four']);
});

test('gives nothing while it is paused, and tells of the end', async () => {
  const { socket, other, next } = await connected();
  await next('one');
  socket.pause();
  other.end('two');
  const seen: string[] = [];
  socket.on('data', (bytes: Buffer) => seen.push(`${bytes}`));
  await new Promise((resolve) => other.once('finish', resolve));
  expect(seen).toEqual([]);
  socket.resume();
  await new Promise((resolve) => socket.once('end', resolve));
  expect(seen).toEqual(['two']);
});
