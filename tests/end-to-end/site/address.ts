import fs from 'node:fs/promises';

/** Where a recovered store answers, with the password that no output shows. */
export async function addressOf(store: { urlFile?: string } | undefined): Promise<string> {
  if (store?.urlFile === undefined) throw new Error('it names no file with its address');
  return (await fs.readFile(store.urlFile, 'utf8')).trim();
}
