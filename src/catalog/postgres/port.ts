/** A loopback port that stays the same from start to start, as long as nobody else takes it. */
import fs from 'node:fs/promises';
import { freePort, isPortFree, writeFileDurably } from '#base';

/** `mustChange`: the stored one didn't serve. The port may be taken by the time that it is used: try again then. */
export async function storedOrFreePort(file: string, mustChange: boolean): Promise<number> {
  const stored = Number(await fs.readFile(file, 'utf8').catch(() => ''));
  if (!mustChange && Number.isInteger(stored) && stored > 1023 && stored < 65_536) {
    if (await isPortFree(stored)) return stored;
  }
  const port = await freePort();
  await writeFileDurably(file, `${port}\n`);
  return port;
}
