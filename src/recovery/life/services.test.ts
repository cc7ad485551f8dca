import fs from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silent } from '#base';
import type { Bindings, RecoveryServices, RecoveryState } from '../request.ts';
import { startServices } from './services.ts';
import { readState } from './state.ts';

let state: RecoveryState;
/** Those that were asked to start, in that order; each is up when it is told so. */
let asked: string[];
let given: Map<string, Bindings>;
let up: Map<string, PromiseWithResolvers<void>>;

const service = (name: string, needs: string[] = [], mentions: string[] = []) => ({
  ...{ name, needs, mentions, sideEffects: [] },
});

const starting = (services: RecoveryServices) => {
  for (const { name } of services) up.set(name, Promise.withResolvers());
  const start = async (name: string, bindings: Bindings) => {
    asked.push(name);
    given.set(name, bindings);
    await up.get(name)?.promise;
    return { name, pid: 1, startedAt: '', url: `http://${name}` };
  };
  const runtime = {
    start,
    isRunning: async () => true,
    stop: async () => {},
    stopAll: async () => {},
  };
  const signal = new AbortController().signal;
  return startServices(state, { site: { services, runtime }, progress: silent, signal });
};
const isUp = (name: string) => up.get(name)?.resolve();
const whenAsked = (names: string[]) => expect.poll(() => asked.toSorted()).toEqual(names);
const noted = async () => (await readState(state.folder))?.services.map(({ name }) => name);

beforeEach(async () => {
  const folder = await fs.mkdtemp('/dev/shm/holdfast-services-');
  const orders = { url: 'postgresql://copy', selection: { atMs: 1 } };
  state = { id: 'rcopy', folder, stores: { orders }, services: [] } as unknown as RecoveryState;
  [asked, given, up] = [[], new Map(), new Map()];
});
afterEach(() => fs.rm(state.folder, { recursive: true }));

describe('services of a copy', () => {
  it('start together where none needs another, and are noted in the order of the environment', async () => {
    const started = starting([service('api', ['orders']), service('pipeline', ['orders'])]);
    await whenAsked(['api', 'pipeline']);
    isUp('pipeline');
    await expect.poll(noted).toEqual(['pipeline']);
    isUp('api');
    await started;
    expect(await noted()).toEqual(['api', 'pipeline']);
  });

  it('start after what they need, and after what they are told the address of', async () => {
    const services = [service('api'), service('web', ['api']), service('proxy', [], ['web'])];
    const started = starting(services);
    await whenAsked(['api']);
    isUp('api');
    await whenAsked(['api', 'web']);
    isUp('web');
    await whenAsked(['api', 'proxy', 'web']);
    expect(given.get('proxy')?.services.web?.url).toBe('http://web');
    isUp('proxy');
    await started;
  });

  it('are left out with all that need them, where their stores are not recovered', async () => {
    const services = [service('api', ['sessions']), service('web', ['api']), service('pipeline')];
    const started = starting(services);
    isUp('pipeline');
    await started;
    expect(asked).toEqual(['pipeline']);
  });

  it('are all waited for, and noted, before one that failed is told', async () => {
    const services = [service('api'), service('web', ['api']), service('pipeline')];
    const started = starting(services);
    await whenAsked(['api', 'pipeline']);
    up.get('api')?.reject(new Error('no api'));
    isUp('pipeline');
    await expect(started).rejects.toThrow('no api');
    expect(asked).not.toContain('web');
    expect(await noted()).toEqual(['pipeline']);
  });

  it('that run already are left alone', async () => {
    state.services = [{ name: 'api', pid: 1, startedAt: '', url: 'http://api' }];
    const started = starting([service('api'), service('web', ['api'])]);
    isUp('web');
    await started;
    expect(asked).toEqual(['web']);
  });
});
