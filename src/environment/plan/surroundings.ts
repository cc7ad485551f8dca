/**
 * A look around for data that nobody declared: the variables that name databases, and the compose file beside. It
 * reads two kinds of things only, writes nothing, and asks no network.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import { systemCode } from '#base';
import { endpointsOf, leadsToSame } from '../addresses.ts';
import type { Environment } from '../model.ts';
import { type Located, type LocatedEntry, locate } from '../yaml/located.ts';
import { MAX_FILE_BYTES, readYaml } from '../yaml/read.ts';
import type { Undeclared } from './plan.ts';

export type Seen = Undeclared & {
  /** Own fields of a store that would protect it, where they are known. Hold secrets. */
  own?: { type: string; fields: Record<string, unknown> };
  /** Of kind `folder`: where it lies. */
  folder?: string;
};

export const COMPOSE_FILES = [
  'compose.yaml',
  'compose.yml',
  'docker-compose.yaml',
  'docker-compose.yml',
];

/** What is around and not covered by a declared store. */
export async function lookAround(
  folder: string,
  variables: Readonly<Record<string, string | undefined>>,
  environment?: Environment,
): Promise<Seen[]> {
  const declared = declaredAddresses(environment);
  const names = new Set(environment?.stores.map((store) => store.name));
  const seen = [...fromVariables(variables), ...(await fromCompose(folder))];
  return seen.filter(
    (each) =>
      !names.has(each.name) &&
      !each.addresses.some((address) => declared.some((store) => leadsToSame(address, store))),
  );
}

type Candidate = Seen & {
  /** Where it can be reached, to compare with what is declared. */
  addresses: string[];
};

function declaredAddresses(environment: Environment | undefined): string[] {
  return (environment?.stores ?? []).flatMap((store) => {
    if (!('own' in store)) return store.address === undefined ? [] : [store.address.reveal()];
    return [store.own.url, store.own.path].filter((field) => typeof field === 'string');
  });
}

function fromVariables(variables: Readonly<Record<string, string | undefined>>): Candidate[] {
  const url = variables.DATABASE_URL;
  if (url) {
    const scheme = /^([a-z0-9+]+):\/\//i.exec(url)?.[1]?.toLowerCase() ?? 'database';
    const isPostgres = scheme.startsWith('postgres');
    return [
      {
        name: 'database',
        kind: isPostgres ? 'postgres' : scheme,
        seenAt: 'DATABASE_URL',
        addresses: [url],
        ...(isPostgres && { own: { type: 'postgres', fields: { url } } }),
      },
    ];
  }
  const { PGHOST, PGPORT, PGUSER, PGDATABASE } = variables;
  if (!PGHOST && !PGPORT && !PGDATABASE) return [];
  const user = PGUSER ? `${encodeURIComponent(PGUSER)}@` : '';
  const isSocket = PGHOST?.startsWith('/') === true;
  const authority = `${user}${isSocket ? '' : (PGHOST ?? 'localhost')}${PGPORT ? `:${PGPORT}` : ''}`;
  const query = isSocket ? `?host=${encodeURIComponent(PGHOST ?? '')}` : '';
  const address = `postgresql://${authority}/${encodeURIComponent(PGDATABASE ?? '')}${query}`;
  return [
    {
      name: 'database',
      kind: 'postgres',
      seenAt: PGHOST ? 'PGHOST' : 'PGDATABASE',
      addresses: [address],
      // The password stays in PGPASSWORD, where the driver finds it.
      own: { type: 'postgres', fields: { url: address } },
    },
  ];
}

async function fromCompose(folder: string): Promise<Candidate[]> {
  for (const name of COMPOSE_FILES) {
    const file = path.join(folder, name);
    let bytes: Uint8Array;
    try {
      const { size } = await fs.stat(file);
      if (size > MAX_FILE_BYTES) return [];
      bytes = await fs.readFile(file);
    } catch (error) {
      const code = systemCode(error);
      if (code === 'ENOENT') continue;
      if (code === 'EISDIR' || code === 'EACCES') return [];
      throw error;
    }
    // Compose's own tags and merges don't matter here: what can be read of the file is looked at.
    const { root } = readYaml(file, bytes);
    return root === undefined ? [] : composeCandidates(root, name, folder);
  }
  return [];
}

type Service = { name: string; image: string; value: Located; entry: LocatedEntry };

function composeCandidates(root: Located, file: string, folder: string): Candidate[] {
  const services = entriesOf(root, ['services']).map(([name, entry]) => ({
    name,
    image: textOf(locate(entry.value, ['image'])?.value) ?? '',
    value: entry.value,
    entry,
  }));
  const databases = services.filter((service) => isPostgresImage(service.image));
  const owned = new Set(
    databases.flatMap((service) => volumesOf(service).map((each) => each.name)),
  );
  const volumes = entriesOf(root, ['volumes']).filter(([name]) => !owned.has(name));
  return [
    ...databases.map((service) => ({
      name: service.name,
      kind: 'postgres',
      seenAt: `${file}:${service.entry.keyPlace.line}`,
      addresses: publishedPorts(service).map((port) => `postgresql://localhost:${port}/`),
    })),
    ...volumes.map(([name, entry]) => ({
      name,
      kind: 'volume',
      seenAt: `${file}:${entry.keyPlace.line}`,
      addresses: [],
    })),
    ...services
      .filter((service) => !databases.includes(service))
      .flatMap((service) => boundFolders(service, file, folder)),
  ];
}

function isPostgresImage(image: string): boolean {
  return /(^|\/)(postgres|postgis|timescaledb|pgvector|postgresql)([:@-]|$)/.test(image);
}

function entriesOf(root: Located, at: readonly string[]): [string, LocatedEntry][] {
  const found = locate(root, at)?.value;
  return found?.kind === 'map' ? [...found.entries] : [];
}

function textOf(located: Located | undefined): string | undefined {
  if (located?.kind !== 'scalar' || located.value === null) return undefined;
  return String(located.value);
}

function itemsOf(service: Service, field: string): Located[] {
  const found = locate(service.value, [field])?.value;
  return found?.kind === 'list' ? found.items : [];
}

/** Named volumes and bound folders of a service, in the short and the long form of compose. */
function volumesOf(service: Service): { name: string; line: number; readOnly: boolean }[] {
  return itemsOf(service, 'volumes').flatMap((item) => {
    const short = textOf(item);
    const name = short?.split(':')[0] ?? textOf(locate(item, ['source'])?.value);
    const isShortReadOnly = short?.split(':')[2]?.split(',').includes('ro') === true;
    const readOnly = isShortReadOnly || textOf(locate(item, ['read_only'])?.value) === 'true';
    return name === undefined ? [] : [{ name, line: item.place.line, readOnly }];
  });
}

function boundFolders(service: Service, file: string, folder: string): Candidate[] {
  return volumesOf(service)
    .filter((volume) => /^[./~]/.test(volume.name) && !volume.readOnly)
    .map((volume) => ({
      name: path.basename(volume.name),
      kind: 'folder',
      seenAt: `${file}:${volume.line}`,
      addresses: [path.resolve(folder, volume.name)],
      folder: path.resolve(folder, volume.name),
    }));
}

/** Ports of this machine: `5433` of `5433:5432` and `127.0.0.1:5433:5432`. */
function publishedPorts(service: Service): string[] {
  return itemsOf(service, 'ports').flatMap((item) => {
    const short = textOf(item)?.split(':');
    const port = short?.at(-2) ?? textOf(locate(item, ['published'])?.value);
    return port !== undefined && endpointsOf(`postgresql://localhost:${port}/`).length > 0
      ? [port]
      : [];
  });
}
