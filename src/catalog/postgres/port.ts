/** A loopback port that stays the same from start to start, as long as nobody else takes it. */
import fs from 'node:fs/promises';
import net from 'node:net';
import { writeFileDurably } from '#base';

/** `mustChange`: the stored one didn't serve. The port may be taken by the time that it is used: try again then. */
export async function storedOrFreePort(file: string, mustChange: boolean): Promise<number> {
  const stored = Number(await fs.readFile(file, 'utf8').catch(() => ''));
  if (!mustChange && Number.isInteger(stored) && stored > 1023 && stored < 65_536) {
    if (await isFree(stored)) return stored;
  }
  const port = await freePort();
  await writeFileDurably(file, `${port}\n`);
  return port;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
