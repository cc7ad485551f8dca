/** The same as `faults`, on a real S3 server behind a proxy that goes wrong: what only happens on the way there. */
import { Secret } from '#base';
import { inLanes } from '../../src/repository/in-lanes.ts';
import type { FaultRule } from '../../src/repository/storage/faulty.ts';
import { S3Storage } from '../../src/repository/storage/s3/s3-storage.ts';
import {
  type S3TestServer,
  startS3TestServer,
} from '../../src/repository/storage/s3/test-server.ts';
import type { Storage } from '../../src/repository/storage/storage.ts';
import { type Campaign, type CampaignOptions, type CampaignReport, Figures } from './campaign.ts';
import { Chance } from './chance.ts';
import { type BadProxy, type ProxyFault, startBadProxy } from './faults/bad-proxy.ts';
import { NAMES, type Site, scriptOf, Trial } from './faults.ts';
import { type Base, type Files, makeBase } from './sample.ts';

const LANES = 4;
const BUCKET = 'faults';
/** A silent way is given up on after so long. */
const IMPATIENT_MS = 500;

export const faultsS3: Campaign = {
  summary: 'the same on a real S3 server behind a proxy that refuses, hangs, cuts, mixes up',
  count: 60,
  run: runFaultsS3,
};

export async function runFaultsS3(options: CampaignOptions): Promise<CampaignReport> {
  const { count, seed, only, note } = options;
  const figures = new Figures();
  const failures: string[] = [];
  const base = await makeBase(new Chance(seed));
  const server = await startS3TestServer();
  try {
    await server.makeBucket(BUCKET);
    let done = 0;
    const numbers = only === undefined ? Array.from({ length: count }).keys() : [Number(only)];
    await inLanes(numbers, LANES, async (number) => {
      for (const failure of await trial(server, base, seed, number, figures))
        failures.push(failure);
      done += 1;
      if (done % 10 === 0) note(`${done} of ${count}, ${failures.length} failures`);
    });
  } finally {
    await server.stop();
  }
  return { figures: figures.toJSON(), failures };
}

/** Resolves to what must never be. */
async function trial(
  server: S3TestServer,
  base: Base,
  seed: number,
  number: number,
  figures: Figures,
): Promise<string[]> {
  const chance = new Chance(seed * 1_000_003 + number);
  const place = `${BUCKET}/session-${number}`;
  const direct = storageAt(server, server.endpoint, place);
  const proxy = await startBadProxy(server.endpoint, `${place}/`);
  const site = siteBehind(proxy, server, place, chance);
  const session = new Trial(base, site, number, chance, figures);
  try {
    await upload(base.files, direct);
    await session.run();
  } catch (error) {
    session.failures.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    await proxy.close();
    await direct.close();
  }
  return session.failures.map((failure) => `${session.name}: ${failure}`);
}

function siteBehind(proxy: BadProxy, server: S3TestServer, place: string, chance: Chance): Site {
  const rules = Array.from({ length: 1 + chance.below(3) }, () => ruleByChance(chance));
  for (const rule of rules) proxy.script.add(rule);
  const behaving = () => storageAt(server, server.endpoint, place);
  return {
    script: scriptOf(rules),
    faulty: storageAt(server, proxy.endpoint, place, IMPATIENT_MS),
    settle: () => proxy.settle(),
    struck: () => proxy.script.struck,
    hasLied: () => proxy.script.struck.includes('lost'),
    behaving,
    files: () => download(behaving()),
  };
}

function storageAt(
  { user }: S3TestServer,
  endpoint: string,
  place: string,
  idleTimeoutMs?: number,
): Storage {
  const { accessKeyId } = user;
  const credentials = { accessKeyId, secretAccessKey: new Secret(user.secretAccessKey) };
  return new S3Storage(`s3:${endpoint}/${place}`, {
    credentials,
    ...(idleTimeoutMs && { idleTimeoutMs }),
  });
}

async function upload(files: Files, storage: Storage): Promise<void> {
  await inLanes([...files], storage.concurrency, ([name, bytes]) => storage.write(name, [bytes]));
}

async function download(storage: Storage): Promise<Files> {
  const files: Files = new Map();
  for await (const { name } of storage.list('')) files.set(name, await storage.read(name));
  await storage.close();
  return files;
}

function ruleByChance(chance: Chance): FaultRule<ProxyFault> {
  const fault = chance.oneOf<() => ProxyFault>([
    () => ({ kind: 'status', status: 500, code: 'InternalError' }),
    () => ({ kind: 'status', status: 503, code: 'SlowDown' }),
    () => ({ kind: 'status', status: 400, code: 'RequestTimeout' }),
    () => ({ kind: 'status', status: 403, code: 'AccessDenied' }),
    () => ({ kind: 'status', status: 404, code: 'NoSuchKey' }),
    () => ({ kind: 'silent' }),
    () => ({ kind: 'slow', delayMs: chance.below(100) }),
    () => ({ kind: 'broken-off', keepBytes: chance.below(20_000) }),
    () => ({ kind: 'cut-answer', keepBytes: chance.below(20_000) }),
    () => ({ kind: 'answer-lost' }),
    () => ({ kind: 'done-late' }),
    () => ({ kind: 'lost' }),
    () => ({ kind: 'stale-list' }),
    () => ({ kind: 'wrong-bytes', atByte: chance.below(100_000) }),
    () => ({ kind: 'other-object' }),
    () => ({ kind: 'old-bytes' }),
  ])();
  return {
    on: operationsOf(fault),
    name: chance.oneOf(NAMES),
    fault,
    after: chance.below(chance.oneOf([1, 4, 12])),
    times: chance.oneOf([1, 1, 2, 5, Number.POSITIVE_INFINITY]),
  };
}

function operationsOf(fault: ProxyFault): FaultRule['on'] {
  switch (fault.kind) {
    case 'done-late':
      return ['write', 'remove'];
    case 'lost':
      return 'write';
    case 'stale-list':
      return 'list';
    case 'cut-answer':
    case 'wrong-bytes':
    case 'other-object':
    case 'old-bytes':
      return 'read';
    default:
      return ['read', 'write', 'list', 'stat', 'remove'];
  }
}
