/** A TCP proxy between Holdfast and a server, whose network a test can cut without a word. */
import net from 'node:net';

export type TestProxy = {
  readonly port: number;
  /** Where new connections go. */
  target: number;
  /** Drops every byte both ways, and accepts connections without answering, as a dead network does. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
};

export async function startProxy(target: number): Promise<TestProxy> {
  const sockets = new Set<net.Socket>();
  const track = (socket: net.Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  };
  let isCut = false;
  const server = net.createServer({ allowHalfOpen: true }, (near) => {
    track(near);
    if (isCut) return;
    const far = net.connect({ port: proxy.target, host: '127.0.0.1', allowHalfOpen: true });
    track(far);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (bytes) => {
        if (!isCut && !to.destroyed) to.write(bytes);
      });
      from.on('end', () => {
        if (!isCut) to.end();
      });
      from.on('close', () => {
        if (!isCut) to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: TestProxy = {
    port: (server.address() as net.AddressInfo).port,
    target,
    cut() {
      isCut = true;
    },
    mend() {
      // What was cut stays dead: the far ends don't know of each other any more.
      for (const socket of sockets) socket.removeAllListeners('data');
      isCut = false;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}
