/** The API over real HTTP: who may ask, what is refused, what an error tells and what it never tells. */
import fs from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HoldfastError, quietLogger, Secret } from '#base';
import { createApi } from './api.ts';
import { openApiText } from './openapi.ts';
import type { Operations } from './operations.ts';

const TOKEN = 'a-token-of-some-length';
let url: string;
let api: Awaited<ReturnType<typeof createApi>>;

const refusal = (kind: HoldfastError['kind']) =>
  new HoldfastError(
    { code: `test/${kind}`, kind, message: 'it went so', guidance: 'Do this.', retryable: false },
    { where: 'orders' },
  );

/** Only what these tests call: whatever else is called is an unexpected error, which is looked at too. */
const operations = {
  environments: async () => [],
  points: async (scope: { environment?: string }) => {
    if (scope.environment === 'broken') throw new Error('secret detail of /etc/shadow');
    throw refusal((scope.environment ?? 'failed') as HoldfastError['kind']);
  },
} as unknown as Operations;

beforeAll(async () => {
  api = await createApi({ operations, token: new Secret(TOKEN), version: '0', log: quietLogger });
  url = await api.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => api.close());

const ask = (route: string, init: RequestInit = {}) =>
  fetch(`${url}${route}`, {
    ...init,
    headers: { authorization: `Bearer ${TOKEN}`, ...init.headers },
  });

describe('the API', () => {
  test('answers whoever has the token', async () => {
    const answer = await ask('/v1/environments');
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual([]);
  });

  test.each(['', 'Bearer ', `Bearer ${TOKEN}x`, `bearer ${TOKEN}`, TOKEN, `Basic ${TOKEN}`])(
    'refuses "%s" instead of the token, on every route',
    async (authorization) => {
      for (const route of ['/v1/environments', '/v1/nothing', '/']) {
        const answer = await fetch(`${url}${route}`, { headers: { authorization } });
        expect(answer.status).toBe(401);
        expect(await answer.json()).toMatchObject({ error: { code: 'server/unauthorized' } });
      }
    },
  );

  test.each([
    ['failed', 500],
    ['invalid', 400],
    ['refused', 403],
    ['not-found', 404],
    ['verdict', 409],
    ['interrupted', 503],
  ])('tells an error of kind %s as %i', async (kind, status) => {
    const answer = await ask(`/v1/points?environment=${kind}`);
    expect(answer.status).toBe(status);
    expect(await answer.json()).toEqual({
      error: {
        code: `test/${kind}`,
        kind,
        message: 'it went so',
        guidance: 'Do this.',
        retryable: false,
        where: 'orders',
      },
    });
  });

  test('tells nothing of an error that nobody expected', async () => {
    const answer = await ask('/v1/points?environment=broken');
    expect(answer.status).toBe(500);
    const text = await answer.text();
    expect(text).toContain('server/unexpected');
    expect(text).not.toContain('shadow');
    expect(text).not.toContain('    at ');
  });

  test.each([
    ['/v1/points?limit=0', {}],
    ['/v1/points?limit=many', {}],
    ['/v1/points?environment=../etc', {}],
    ['/v1/marks', { method: 'POST', body: '{"kind":' }],
    ['/v1/marks', { method: 'POST', body: '{"kind":"A B"}' }],
    ['/v1/marks', { method: 'POST', body: '{}' }],
    ['/v1/recoveries', { method: 'POST', body: '{"to":{"kind":"never"}}' }],
    ['/v1/recoveries/..%2f..%2fetc', {}],
  ])('refuses the malformed %s', async (route, init) => {
    const answer = await ask(route, { ...init, headers: { 'content-type': 'application/json' } });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      error: { code: 'server/invalid-request', kind: 'invalid' },
    });
  });

  test('refuses a body beyond the bound', async () => {
    const answer = await ask('/v1/marks', {
      method: 'POST',
      body: JSON.stringify({ kind: 'deploy', note: 'x'.repeat(2 ** 21) }),
      headers: { 'content-type': 'application/json' },
    });
    expect(await answer.json()).toMatchObject({ error: { code: 'server/too-large' } });
  });

  test('lives through whatever is sent, and gives no stack', async () => {
    const routes = ['marks', 'captures', 'recoveries', 'environments', 'shutdown', 'status'];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...routes),
        fc.constantFrom('GET', 'POST', 'DELETE', 'PUT'),
        fc.oneof(fc.json(), fc.string()),
        async (route, method, body) => {
          const answer = await ask(`/v1/${route}`, {
            method,
            headers: { 'content-type': 'application/json' },
            ...(method === 'GET' ? {} : { body }),
          });
          expect(await answer.text()).not.toContain('    at ');
        },
      ),
      { numRuns: 60 },
    );
    expect((await ask('/v1/environments')).status).toBe(200);
  });
});

test('openapi.json is as the routes say (npm run generate)', async () => {
  const root = path.resolve(import.meta.dirname, '../..');
  const { version } = JSON.parse(await fs.readFile(path.join(root, 'package.json'), 'utf8'));
  const committed = await fs.readFile(path.join(root, 'openapi.json'), 'utf8');
  expect(await openApiText(version)).toBe(committed);
});
