/** A mixed tree made from the machine's own files: many small texts, binaries, what compresses and what doesn't. */
import fs from 'node:fs';
import path from 'node:path';

const ORIGINS = [
  '/usr/share',
  '/usr/include',
  '/usr/lib/python3',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/bin',
];

export type Input = { folder: string; files: number; bytes: number };

/**
 * Copies regular files until the wanted size is reached, in the order of their paths; the same on the same machine. Each
 * origin gives its share first, and what some of them lack comes from the others.
 */
export function makeMixedTree(folder: string, wantedBytes: number): Input {
  const input: Input = { folder, files: 0, bytes: 0 };
  const share = wantedBytes / ORIGINS.length;
  for (const origin of ORIGINS) {
    copyFrom(origin, Math.min(wantedBytes, input.bytes + share), input);
  }
  for (const origin of ORIGINS) copyFrom(origin, wantedBytes, input);
  return input;
}

function copyFrom(origin: string, untilBytes: number, input: Input): void {
  if (input.bytes >= untilBytes || !fs.existsSync(origin)) return;
  const entries = fs.readdirSync(origin, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    if (input.bytes >= untilBytes) return;
    const from = path.join(origin, entry.name);
    if (entry.isDirectory()) copyFrom(from, untilBytes, input);
    const to = path.join(input.folder, from);
    if (!entry.isFile() || fs.existsSync(to)) continue;
    fs.mkdirSync(path.dirname(to), { recursive: true });
    fs.copyFileSync(from, to, fs.constants.COPYFILE_FICLONE);
    input.files += 1;
    input.bytes += fs.statSync(to).size;
  }
}
