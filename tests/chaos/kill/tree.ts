/** A folder of files that changes by chance, and what it held at a time. */
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import type { Chance } from '../chance.ts';

/** Digests of all files, by their paths below the folder. */
export type Manifest = ReadonlyMap<string, string>;

const FILES = 50;
const LARGEST_BYTES = 60_000;

export const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

export class ChangingTree {
  readonly folder: string;
  readonly #chance: Chance;
  readonly #digests = new Map<string, string>();

  constructor(folder: string, chance: Chance) {
    this.folder = folder;
    this.#chance = chance;
  }

  async fill(): Promise<void> {
    for (let number = 0; number < FILES; number += 1) await this.#write(number);
  }

  /** Some files anew, one gone. */
  async change(): Promise<void> {
    const changes = 4 + this.#chance.below(8);
    for (let made = 0; made < changes; made += 1) await this.#write(this.#chance.below(FILES));
    const gone = nameOf(this.#chance.below(FILES));
    await fs.rm(path.join(this.folder, gone), { force: true });
    this.#digests.delete(gone);
  }

  manifest(): Manifest {
    return new Map(this.#digests);
  }

  async #write(number: number): Promise<void> {
    const name = nameOf(number);
    const bytes = this.#chance.bytes(1 + this.#chance.below(LARGEST_BYTES));
    await fs.mkdir(path.dirname(path.join(this.folder, name)), { recursive: true });
    await fs.writeFile(path.join(this.folder, name), bytes);
    this.#digests.set(name, digestOf(bytes));
  }
}

function nameOf(number: number): string {
  return `part${number % 5}/file${number}.bin`;
}

/** What a folder holds now. */
export async function manifestOf(folder: string): Promise<Manifest> {
  const digests = new Map<string, string>();
  const entries = await fs.readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    digests.set(path.relative(folder, file), digestOf(await fs.readFile(file)));
  }
  return digests;
}

/** Undefined where both hold the same; else what differs, for people. */
export function difference(found: Manifest, wanted: Manifest): string | undefined {
  const names = new Set([...found.keys(), ...wanted.keys()]);
  const different = [...names].filter((name) => found.get(name) !== wanted.get(name));
  if (different.length === 0) return undefined;
  return `${different.length} of ${names.size} files differ, such as ${different[0]}`;
}
