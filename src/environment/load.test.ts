import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { HoldfastError } from '#base';
import { type LoadOptions, loadEnvironment, parseEnvironment } from './load.ts';
import type { Problem } from './problems.ts';

const FOLDER = '/srv/shop';
const FILE = `${FOLDER}/holdfast.yaml`;

/** Stands for the sources, which have tests of their own: what is tried here is how their schemas are used. */
const sourceSchemas = {
  postgres: z.strictObject({
    url: z.string().regex(/^postgresql:/, { error: (issue) => `${String(issue.input)} is no URL` }),
    method: z
      .enum(['physical', 'shadow', 'dump'])
      .refine((method) => method === 'physical', {
        error: (issue) => `${String(issue.input)}: not yet`,
      })
      .default('physical'),
    verifyPages: z.boolean().default(true),
  }),
  files: z.strictObject({ path: z.string(), exclude: z.array(z.string()).default([]) }),
};

const variables = { PASSWORD: 'correct horse', ORDERS_URL: 'postgresql://app:hunter22@db/shop' };

const HEAD = `apiVersion: holdfast/v1
name: shop
repository: {url: ./repository, password: "\${PASSWORD}"}
`;
const STORES = `stores:
  orders: {type: postgres, url: "\${ORDERS_URL}", protect: continuous}
  media: {type: files, path: media, protect: {every: 5m}}
`;
const GOOD = HEAD + STORES;

function parse(text: string | Uint8Array, overlay?: string, options: LoadOptions = {}) {
  const files = [{ path: FILE, bytes: Buffer.from(text) }];
  const overlayFile = `${FOLDER}/holdfast.staging.yaml`;
  if (overlay !== undefined) files.push({ path: overlayFile, bytes: Buffer.from(overlay) });
  return parseEnvironment(files, { sourceSchemas, variables, ...options });
}

/** Each as `line:column: path: what`. */
function problemsOf(text: string | Uint8Array, overlay?: string, options?: LoadOptions): string[] {
  try {
    parse(text, overlay, options);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    expect(error.kind).toBe('invalid');
    const problems = error.facts.problems as Problem[];
    const first = problems[0]?.place;
    expect(error.where).toBe(`${first?.file}:${first?.line}:${first?.column}`);
    expect(error.message).toContain('problem');
    return problems.map(({ place, path: at, what }) => {
      const name = path.basename(place.file).replace('holdfast.yaml', '').replace('holdfast.', '');
      return `${name && `${name}:`}${place.line}:${place.column}: ${at}: ${what}`;
    });
  }
  return [];
}

describe('a good file', () => {
  test('gives the environment with defaults, paths made absolute and secrets looked up', () => {
    const environment = parse(
      `${GOOD}services:
  worker: {run: node worker.js, needs: [api], env: {API: "\${services.api.url}"}}
  api:
    run: [node, api.js]
    needs: [orders]
    health: http://127.0.0.1:\${port}/healthz
    env: {DATABASE_URL: "\${stores.orders.url}", WORKERS: 2}
    sideEffects: [email]
    control: {stop: stop-api, start: start-api}
checks:
  orphans: {sql: orders, query: select * from orphans}
  uploads: {keys: orders.public.items.upload_key, in: media}
  api: {http: api/healthz}
  smoke: {command: npm run smoke}
`,
    );
    expect(environment.objectives).toEqual({
      rpoMs: 5_000,
      rtoMs: 120_000,
      proofMs: 86_400_000,
    });
    expect(environment.stage).toBe('production');
    expect(environment.repository.url).toBe(`${FOLDER}/repository`);
    expect(environment.repository.check).toEqual({ everyMs: 86_400_000, periodMs: 2_592_000_000 });
    expect(environment.repository.password.reveal()).toBe('correct horse');
    expect(environment.stores).toEqual([
      {
        name: 'orders',
        type: 'postgres',
        protect: { kind: 'continuous' },
        rpoMs: 5_000,
        keepMs: 2_592_000_000,
        own: { url: variables.ORDERS_URL, method: 'physical', verifyPages: true },
      },
      {
        name: 'media',
        type: 'files',
        protect: { kind: 'every', everyMs: 300_000 },
        rpoMs: 300_000,
        keepMs: 2_592_000_000,
        own: { path: `${FOLDER}/media`, exclude: [] },
      },
    ]);
    expect(environment.services.map((service) => service.name)).toEqual(['api', 'worker']);
    expect(environment.services.map(({ mentions }) => mentions)).toEqual([[], ['api']]);
    expect(environment.services[0]).toMatchObject({
      cwd: FOLDER,
      env: { DATABASE_URL: '${stores.orders.url}', WORKERS: '2' },
    });
    expect(environment.checks).toEqual([
      {
        name: 'orphans',
        kind: 'sql',
        store: 'orders',
        query: 'select * from orphans',
        expect: 'empty',
      },
      {
        name: 'uploads',
        kind: 'keys',
        store: 'orders',
        table: 'public.items',
        column: 'upload_key',
        in: 'media',
      },
      { name: 'api', kind: 'http', service: 'api', path: '/healthz', expect: 200 },
      { name: 'smoke', kind: 'command', command: 'npm run smoke' },
    ]);
    expect(JSON.stringify(environment.texts)).not.toContain('hunter22');
  });

  test('takes a bucket with its options, credentials by reference, and how it is maintained', () => {
    const bucket = `repository:
  url: s3:https://s3.example:7480/hf-shop/production
  password: \${PASSWORD}
  s3:
    region: eu-central-1
    addressing: path
    ca: ca.pem
    credentials: {accessKeyId: "\${KEY}", secretAccessKey: "\${SECRET}"}
    storageClass: STANDARD_IA
  lock: {for: 30d, mode: compliance}
  parity: 3%
  check: {every: 12h, period: 7d}
  prune: {every: 2d}
`;
    const text = GOOD.replace(/^repository: .*\n/m, bucket);
    const known = { ...variables, KEY: 'AKIA', SECRET: 'hush hush' };
    const { repository } = parse(text, undefined, { variables: known });
    const { s3, password: _, ...rest } = repository;
    expect(rest).toEqual({
      url: 's3:https://s3.example:7480/hf-shop/production',
      parity: 0.03,
      check: { everyMs: 43_200_000, periodMs: 604_800_000 },
      prune: { everyMs: 172_800_000 },
    });
    expect(s3).toMatchObject({ region: 'eu-central-1', addressing: 'path' });
    expect(s3).toMatchObject({ caFile: `${FOLDER}/ca.pem`, storageClass: 'STANDARD_IA' });
    expect(s3?.lock).toEqual({ mode: 'compliance', days: 30 });
    expect(s3?.credentials?.secretAccessKey.reveal()).toBe('hush hush');
    expect(JSON.stringify(repository)).not.toContain('hush');
    const none = parse(GOOD.replace('./repository', '/r').replace('"}', '", parity: none}'));
    expect(none.repository.parity).toBe(0);
  });

  test('keeps a store that is left out, of a type of later too, and asks for no secret of it', () => {
    const cache = '  cache: {type: redis, url: "${REDIS_URL}", protect: none, because: rebuilt}\n';
    expect(parse(GOOD + cache).stores[2]).toMatchObject({
      name: 'cache',
      type: 'redis',
      protect: { kind: 'none', because: 'rebuilt' },
    });
  });

  test('read again elsewhere needs no secret of production', () => {
    const environment = parse(`${GOOD}import: [not-here]\n`, undefined, {
      variables: {},
      missing: 'keep',
      folder: '/elsewhere',
    });
    expect(environment.stores[0]).toMatchObject({ name: 'orders', own: {} });
    expect(environment.stores[1]).toMatchObject({ own: { path: '/elsewhere/media' } });
  });

  test('takes anchors and aliases, and $${ as plain text', () => {
    const text = `${HEAD}stores:
  a: &files {type: files, path: media, exclude: ["$\${x}"], protect: continuous}
  b: *files
`;
    const [a, b] = parse(text).stores;
    expect(a).toMatchObject({ own: { exclude: ['${x}'] } });
    expect(b).toMatchObject({ name: 'b', own: { path: `${FOLDER}/media` } });
  });
});

describe('overlay', () => {
  test('is merged over the file: maps deep, lists replaced', () => {
    const text = GOOD.replace('path: media,', 'path: media, exclude: [a, b],');
    const environment = parse(text, 'stores: {media: {exclude: [c]}}\nobjectives: {rto: 10m}\n', {
      stage: 'staging',
    });
    expect(environment.stage).toBe('staging');
    expect(environment.objectives.rtoMs).toBe(600_000);
    expect(environment.stores[1]).toMatchObject({
      own: { path: `${FOLDER}/media`, exclude: ['c'] },
    });
  });

  test('its mistakes point into it, those of the file into the file', () => {
    const overlay = 'stores:\n  media: {exclud: [c]}\nstage: production\n';
    expect(
      problemsOf(GOOD.replace('name: shop', 'name: Shop'), overlay, { stage: 'staging' }),
    ).toMatchInlineSnapshot(`
      [
        "2:7: name: must be of a-z, 0-9 and - (not at its ends)",
        "staging.yaml:2:11: stores.media.exclud: is not a known field (did you mean exclude?)",
        "staging.yaml:3:8: stage: is production, but the file is the overlay of staging",
      ]
    `);
  });
});

describe('bad input is named with line and column', () => {
  const store = (fields: string) => `${HEAD}stores:\n  orders: {${fields}}\n`;
  const cases: Record<string, string> = {
    'nothing at all': '',
    'a list': '- a\n- b\n',
    'unknown and missing keys': GOOD.replace('name:', 'nmae:'),
    'an unknown key deep inside': `${GOOD}objectives: {rpo: 5s, rot: 2m}\n`,
    'the key on': `${GOOD}on: push\n`,
    'a store called on': GOOD.replace('orders:', 'on:'),
    'yes for true': store(
      'type: postgres, url: "${ORDERS_URL}", protect: continuous, verifyPages: yes',
    ),
    'a tab': 'apiVersion: holdfast/v1\nrepository:\n\turl: x\n',
    'a key twice': `${GOOD}name: other\n`,
    'a second document': `${GOOD}---\nname: other\n`,
    'a wrong indentation': `${GOOD}owners:\n  team: a\n recovery: b\n`,
    'an unclosed quote': `${GOOD}owners: {team: "shop}\n`,
    'a key that is no word': `${GOOD}1: x\n`,
    'a tag': `${GOOD}owners: !x {team: a}\n`,
    'YAML 1.1': `%YAML 1.1\n---\n${GOOD}`,
    'an alias without anchor': `${GOOD}owners: *nobody\n`,
    'an anchor inside itself': `${GOOD}import: &x [a, *x]\n`,
    'merge keys': `${GOOD}objectives: {<<: {rpo: 5s}}\n`,
    'wrong types': `${GOOD}owners: [shop]\nimport: infra\nconsistency: {leader: 5}\n`,
    'bad durations': `${GOOD}objectives: {rpo: 5 seconds, rto: 0, proof: 3}\n`,
    'bad names': `${HEAD}stores:\n  My_Orders: {type: files, path: x, protect: continuous}\n`,
    'an unknown type of store': store('type: postgress, protect: continuous'),
    'a type of later': store('type: s3, url: x, protect: continuous'),
    'a method of later': store(
      'type: postgres, url: "${ORDERS_URL}", method: shadow, protect: continuous',
    ),
    'a bad protect': store('type: files, path: x, protect: contiuous'),
    'an rpo beside an interval': store('type: files, path: x, protect: {every: 1m}, rpo: 5s'),
    'no store': `${HEAD}stores: {}\n`,
    'an unset variable': store('type: postgres, url: "${NOPE_URL}", protect: continuous'),
    'an absent secret file': GOOD.replace('${PASSWORD}', '${file:/nope/password}'),
    'a secret in the file': GOOD.replace('"${PASSWORD}"', 'swordfish'),
    'a URL with a password': store(
      'type: postgres, url: "postgresql://a:b@c/d", protect: continuous',
    ),
    'a malformed reference': store('type: files, path: "${a b}", protect: continuous'),
    'a reference of copies': store(
      'type: files, path: "${stores.orders.url}", protect: continuous',
    ),
    'an unquoted reference in {}': `${HEAD}stores:\n  orders: {type: postgres, url: \${ORDERS_URL}, protct: continuous}\n`,
    'an unquoted port in {}': `${GOOD}services:\n  api: {run: x, health: http://127.0.0.1:\${port}/healthz, neds: [a]}\n`,
    'parts of later': `${GOOD}data: {}\nsites: {}\nworkspaces: {}\ntripwires: {}\nreleases: {}\nplaybooks: {}\nnotify: {}\nservices:\n  a: {run: x, traffic: haproxy}\n`,
    'a cycle in needs': `${GOOD}services:\n  a: {run: x, needs: [b]}\n  b: {run: x, needs: [c]}\n  c: {run: x, needs: [orders, a]}\n`,
    'a need of itself': `${GOOD}services:\n  a: {run: x, needs: [a]}\n`,
    'unknown names': `${GOOD}consistency: {leader: ordrs}\nservices:\n  a: {run: x, needs: [medai], env: {A: "\${stores.order.url}", B: "\${services.b.url}"}}\nchecks:\n  c1: {sql: orderz, query: x}\n  c2: {keys: orders.a.b, in: medias}\n  c3: {http: b/x}\n`,
    'a fixed port': `${GOOD}services:\n  a: {run: x, health: http://127.0.0.1:80/}\n`,
    'a service that nobody can start': `${GOOD}services:\n  a: {needs: [orders]}\n`,
    'a secret in a command line': `${GOOD}services:\n  a: {run: "x --db \${stores.orders.url}"}\n`,
    'a reserved variable': `${GOOD}services:\n  a: {run: x, env: {HOLDFAST_PASSWORD: x, "a b": y}}\n`,
    'a mistyped check': `${GOOD}checks:\n  c: {slq: orders, query: select 1}\n`,
    'a missing import': `${GOOD}import: [compose.yaml]\n`,
    'a repository of later': GOOD.replace('./repository', 'sftp:host:/hf'),
    'a bucket that is none': GOOD.replace('./repository', 's3:https://key:word@s3.example/hf'),
    'buckets and maintenance as they are not': GOOD.replace(
      'repository: {',
      'repository: {s3: {addressing: paht, storageClass: cold, credentials: {accessKeyId: a, secretAccessKey: plain}}, lock: 30h, parity: 80%, check: {every: 2d, period: 1d}, prune: {evry: 1d}, ',
    ),
  };
  for (const [name, text] of Object.entries(cases)) {
    test(name, () => {
      const problems = problemsOf(text);
      expect(problems.length).toBeGreaterThan(0);
      expect(problems).toMatchSnapshot();
    });
  }

  test('no message shows a value that came from a reference', () => {
    const text = store('type: postgres, url: "${HUSH}", protect: continuous');
    const problems = problemsOf(text, undefined, { variables: { ...variables, HUSH: 'sesame' } });
    expect(problems).toHaveLength(1);
    expect(problems[0]).not.toContain('sesame');
  });

  test('more than 1 MiB, and bytes that are no text', () => {
    expect(problemsOf(Buffer.alloc(2 ** 20 + 1, 'a'))).toEqual([
      '1:1: : is larger than 1 MiB: such a file is not read',
    ]);
    expect(problemsOf(Buffer.from([0xff, 0xfe, 0x41]))).toEqual(['1:1: : is not UTF-8 text']);
  });

  test('aliases that explode, and nesting without end', () => {
    let bomb = 'a: &a [x,x,x,x,x,x,x,x,x,x]\n';
    for (let index = 1; index < 20; index += 1) {
      const [name, below] = [String.fromCharCode(97 + index), String.fromCharCode(96 + index)];
      bomb += `${name}: &${name} [${Array(10).fill(`*${below}`).join(',')}]\n`;
    }
    expect(problemsOf(bomb).join('\n')).toContain('more than 20000 values');
    expect(problemsOf(`a: ${'['.repeat(60)}${']'.repeat(60)}`).join('\n')).toContain('40 deep');
    expect(problemsOf('['.repeat(20_000)).join('\n')).toContain('nested too deeply');
  });

  test('very many mistakes: the first 50 are shown, the rest counted', () => {
    const many = Array.from({ length: 9_000 }, (_, index) => `k${index}: &a${index} b`).join('\n');
    expect(problemsOf(`${GOOD}${many}\n`)).toHaveLength(50);
    expect(() => parse(`${GOOD}${many}\n`)).toThrow('… and 8950 more');
  });

  test('a chain of needs as long as the file allows is no stack overflow', () => {
    const chain = Array.from(
      { length: 4_000 },
      (_, index) => `  s${index}: {run: x, needs: [s${index + 1}]}`,
    );
    const text = `${GOOD}services:\n${chain.join('\n')}\n  s4000: {run: x, needs: [s0]}\n`;
    expect(problemsOf(text)[0]).toContain('is a cycle: s0 → s1');
  });
});

describe('files on disk', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-load-'));
    await fs.writeFile(path.join(folder, 'password'), 'from a file\n');
    const text = GOOD.replace('${PASSWORD}', '${file:${WHERE}/password}');
    await fs.writeFile(path.join(folder, 'holdfast.yaml'), text);
  });
  afterAll(() => fs.rm(folder, { recursive: true }));

  const load = (options: LoadOptions) =>
    loadEnvironment({
      sourceSchemas,
      variables: { ...variables, WHERE: folder },
      file: path.join(folder, 'holdfast.yaml'),
      ...options,
    });

  test('secrets come from files, whose path may hold a variable', async () => {
    const environment = await load({});
    expect(environment.repository.password.reveal()).toBe('from a file');
  });

  test('an absent file, overlay or a folder in its place is said', async () => {
    await expect(load({ file: path.join(folder, 'nope.yaml') })).rejects.toMatchObject({
      code: 'environment/file-missing',
      kind: 'not-found',
    });
    await expect(load({ stage: 'staging' })).rejects.toMatchObject({
      code: 'environment/overlay-missing',
    });
    await expect(load({ file: folder })).rejects.toMatchObject({
      code: 'environment/file-unreadable',
    });
  });

  test('-e with the stage that the file has needs no overlay', async () => {
    expect((await load({ stage: 'production' })).stage).toBe('production');
  });

  test('a secret is never read from a device that does not end', async () => {
    const file = path.join(folder, 'endless.yaml');
    await fs.writeFile(file, GOOD.replace('${PASSWORD}', '${file:/dev/zero}'));
    await expect(load({ file })).rejects.toThrow('/dev/zero is no regular file');
  });
});
