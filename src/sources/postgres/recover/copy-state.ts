import fs from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { systemCode, writeFileDurably } from '#base';

/** What is known of a copy besides its data, kept in its scratch folder. Holds no password. */
const schema = z.object({
  majorVersion: z.int(),
  binaries: z.string(),
  user: z.object({
    name: z.string(),
    uid: z.int(),
    gid: z.int(),
    isCurrent: z.boolean(),
  }),
  socketFolder: z.string(),
  port: z.int(),
  access: z.object({ user: z.string(), database: z.string() }),
  /** Paths on production of its three configuration files, where they were told. */
  configFiles: z.array(z.string()),
  productionDirectory: z.string().optional(),
  /** The boot of this host in which it was recovered: before the next one nothing of it can have been lost. */
  bootId: z.string(),
});

export type CopyState = z.infer<typeof schema>;

const FILE = 'copy.json';

export async function saveCopyState(scratch: string, state: CopyState): Promise<void> {
  await writeFileDurably(path.join(scratch, FILE), `${JSON.stringify(state, null, 2)}\n`);
}

export async function loadCopyState(scratch: string): Promise<CopyState | undefined> {
  try {
    return schema.parse(JSON.parse(await fs.readFile(path.join(scratch, FILE), 'utf8')));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
