import fs from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { systemCode, writeFileDurably } from '#base';

const rememberedSchema = z.object({
  /** System identifier of the cluster whose journal this is. */
  systemIdentifier: z.string(),
  /** Name of the slot that was made on it. */
  slot: z.string(),
});

/** What must be known about the server after a restart of Holdfast. */
export type Remembered = z.infer<typeof rememberedSchema>;

const FILE_NAME = 'wal-stream.json';

/** Undefined where nothing is remembered, or nothing that can be understood: it is learnt again from the server. */
export async function readRemembered(stateFolder: string): Promise<Remembered | undefined> {
  let text: string;
  try {
    text = await fs.readFile(path.join(stateFolder, FILE_NAME), 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return rememberedSchema.parse(JSON.parse(text));
  } catch {
    // Written whole or not at all, so a person changed it.
    return undefined;
  }
}

export async function remember(stateFolder: string, remembered: Remembered): Promise<void> {
  await writeFileDurably(path.join(stateFolder, FILE_NAME), JSON.stringify(remembered));
}
