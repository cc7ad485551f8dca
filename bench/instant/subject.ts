/** What is brought back: one database of real pages in a repository, and further sizes of it that are made of it. */
import fs from 'node:fs';
import path from 'node:path';
import { Secret } from '#base';
import { openRepository, openStorage, type Repository } from '#repository';
import type { TestServer } from '../../src/sources/postgres/test-server.ts';
import { openDatabase } from '../database.ts';
import { measure } from '../measure.ts';
import { PASSWORD } from '../peers.ts';
import { type Protected, protect } from '../protected.ts';
import { type Expected, expectCopy } from './expected.ts';
import { type Filler, makeFiller, PAGE_BYTES } from './filler.ts';
import { growCapture } from './grow.ts';
import { openEnvironment, type Place } from './requests.ts';

/** Of the tables of pgbench; pages that nothing compresses make up the rest. */
const MIB = 2 ** 20;
const PGBENCH_BYTES = 150 * MIB;

export type Subject = {
  server: TestServer;
  filler: Filler;
  made: Protected;
  bytes: number;
  /** Of the repository. */
  location: string;
};

/** `load` runs on the server after the base, with its journal taken. */
export async function makeSubject(
  folder: string,
  bytes: number,
  load?: (server: TestServer) => Promise<void>,
): Promise<Subject> {
  const home = fs.mkdtempSync(path.join(folder, 'subject-'));
  fs.chmodSync(home, 0o755);
  const { server, bytes: before } = await openDatabase(home, Math.min(bytes / 2, PGBENCH_BYTES));
  const filler = await makeFiller(server, Math.max(0, bytes - before));
  const location = path.join(home, 'repository');
  const made = await protect(server, location, home, load && (() => load(server)));
  return { server, filler, made, bytes: before + filler.pages * PAGE_BYTES, location };
}

/** A copy of the repository in which the database has grown to so many bytes, or is as it was. */
export async function grown(
  folder: string,
  { location, filler, made, bytes }: Subject,
  wantedBytes: number,
): Promise<{ location: string; expected: Expected }> {
  const fillerBytes = filler.pages * PAGE_BYTES;
  const moreBytes = Math.max(0, Math.floor((wantedBytes - bytes) / MIB) * MIB);
  if (moreBytes < 2 * MIB) return { location, expected: expectCopy(fillerBytes, filler.pages) };
  const expected = expectCopy(fillerBytes + moreBytes, filler.pages);
  const copy = fs.mkdtempSync(path.join(folder, 'grown-'));
  const target = path.join(copy, 'repository');
  linkAll(location, target);
  const repository = await openHere(target);
  try {
    await growCapture(repository, made.base, filler, moreBytes);
  } finally {
    await repository.close();
  }
  return { location: target, expected };
}

/** Files of a repository are never written again. */
function linkAll(from: string, to: string): void {
  fs.mkdirSync(to, { recursive: true });
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) linkAll(source, target);
    else fs.linkSync(source, target);
  }
}

export async function openHere(url: string): Promise<Repository> {
  const storage = await openStorage(url);
  return await openRepository({ storage, password: new Secret(PASSWORD) });
}

/** Where copies of it are asked for, by a process that holds its key. */
export async function openPlace(folder: string, url: string, subject: Subject): Promise<Place> {
  const home = fs.mkdtempSync(path.join(folder, 'copies-'));
  fs.chmodSync(home, 0o755);
  const file = path.join(home, 'holdfast.yaml');
  const environment = await openEnvironment(file, url, subject.server.url());
  const repository = await openHere(url);
  // What made the database left the disk busy, and each state that is noted durably would wait for that.
  await measure(['sync']);
  return { ...{ environment, repository, file }, root: path.join(home, 'recoveries') };
}
