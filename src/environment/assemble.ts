/** From what the file declares to the environment as values. Everything was checked before. */
import path from 'node:path';
import { Secret } from '#base';
import type {
  Check,
  Environment,
  ProofSettings,
  RepositorySettings,
  Service,
  Store,
} from './model.ts';
import { referencesIn } from './references.ts';
import type { DeclaredCheck } from './schema/check.ts';
import type { DeclaredEnvironment } from './schema/environment.ts';
import type { DeclaredRepository } from './schema/repository.ts';
import type { DeclaredService } from './schema/service.ts';
import type { DeclaredStore } from './schema/store.ts';
import { type Located, locate } from './yaml/located.ts';

type Origin = {
  file: string;
  folder: string;
  overlay: string | undefined;
  texts: { path: string; text: string }[];
};

export function assemble(
  declared: DeclaredEnvironment,
  own: ReadonlyMap<string, Record<string, unknown>>,
  root: Located,
  origin: Origin,
): Environment {
  const { folder } = origin;
  const { repository, objectives, consistency, recovery } = declared;
  return {
    file: origin.file,
    folder,
    ...(origin.overlay !== undefined && { overlay: origin.overlay }),
    texts: origin.texts,
    name: declared.name,
    stage: declared.stage,
    owners: withoutUndefined(declared.owners),
    imports: declared.import.map((each) => path.resolve(folder, each)),
    repository: assembleRepository(repository, folder),
    recovery: {
      hydrate: recovery.hydrate,
      hydrationBytesPerSecond: recovery.rate,
      mounting: recovery.mounting,
    },
    objectives: { rpoMs: objectives.rpo, rtoMs: objectives.rto, proofMs: objectives.proof },
    consistency: withoutUndefined({ leader: consistency.leader, skewMs: consistency.skew }),
    stores: Object.entries(declared.stores).map(([name, store]) =>
      assembleStore(name, store, own.get(name), objectives.rpo, addressOf(root, name, folder)),
    ),
    services: inOrderOfNeeds(
      Object.entries(declared.services).map(([name, service]) =>
        assembleService(name, service, folder),
      ),
    ),
    checks: Object.entries(declared.checks).map(([name, check]) => assembleCheck(name, check)),
    ...(declared.proofs !== 'none' && { proofs: assembleProofs(declared.proofs) }),
  };
}

/** Fields that are undefined are left out, as the model's types want it. */
function withoutUndefined<T extends object>(
  value: T,
): { [K in keyof T]: Exclude<T[K], undefined> } {
  const kept = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(kept) as { [K in keyof T]: Exclude<T[K], undefined> };
}

function assembleRepository(
  { url, password, s3, lock, parity, check, prune }: DeclaredRepository,
  folder: string,
): RepositorySettings {
  const options = { ...(s3 && assembleS3(s3, folder)), ...(lock && { lock: assembleLock(lock) }) };
  return {
    url: repositoryUrl(url, folder),
    password: new Secret(password),
    ...((s3 || lock) && { s3: options }),
    ...(parity !== undefined && { parity: (Number.parseFloat(parity) || 0) / 100 }),
    check: { everyMs: check.every, periodMs: check.period },
    prune: { everyMs: prune.every },
  };
}

function assembleProofs(declared: Exclude<DeclaredEnvironment['proofs'], 'none'>): ProofSettings {
  const { cpu, read, quiet } = declared;
  return { cpuShare: cpu, readShare: read, quietMs: quiet };
}

function assembleS3(
  { ca, credentials, ...rest }: NonNullable<DeclaredRepository['s3']>,
  folder: string,
): NonNullable<RepositorySettings['s3']> {
  const { region, addressing, storageClass, connections } = rest;
  const token = credentials?.sessionToken;
  return {
    ...withoutUndefined({ region, addressing, storageClass, connections }),
    ...(ca !== undefined && { caFile: path.resolve(folder, ca) }),
    ...(credentials && {
      credentials: {
        accessKeyId: credentials.accessKeyId,
        secretAccessKey: new Secret(credentials.secretAccessKey),
        ...(token !== undefined && { sessionToken: new Secret(token) }),
      },
    }),
  };
}

function assembleLock(lock: NonNullable<DeclaredRepository['lock']>) {
  const { for: forMs, mode } =
    typeof lock === 'number' ? { for: lock, mode: 'governance' as const } : lock;
  return { mode, days: forMs / 86_400_000 };
}

function repositoryUrl(url: string, folder: string): string {
  if (/^s3:/i.test(url)) return url;
  return path.resolve(folder, url.replace(/^(local|file):(\/\/)?/, ''));
}

function assembleStore(
  name: string,
  store: DeclaredStore,
  own: Record<string, unknown> | undefined,
  objectiveMs: number,
  address: string | undefined,
): Store {
  const { type, protect } = store;
  if (protect === 'none') {
    return {
      name,
      type,
      protect: { kind: 'none', because: store.because ?? '' },
      ...(address !== undefined && { address: new Secret(address) }),
    };
  }
  const isContinuous = protect === 'continuous';
  return {
    name,
    type,
    protect: isContinuous ? { kind: 'continuous' } : { kind: 'every', everyMs: protect.every },
    rpoMs: isContinuous ? (store.rpo ?? objectiveMs) : protect.every,
    keepMs: store.keep,
    own: own ?? {},
    ...(store.control !== undefined && { control: store.control }),
  };
}

/** As it is written: of a store that isn't protected nothing else was looked at. */
function addressOf(root: Located, store: string, folder: string): string | undefined {
  for (const field of ['url', 'path']) {
    const found = locate(root, ['stores', store, field])?.value;
    if (found?.kind === 'scalar' && typeof found.value === 'string') {
      return field === 'path' ? path.resolve(folder, found.value) : found.value;
    }
  }
  return undefined;
}

function assembleService(name: string, service: DeclaredService, folder: string): Service {
  return withoutUndefined({
    name,
    run: service.run,
    cwd: path.resolve(folder, service.cwd ?? '.'),
    user: service.user,
    needs: service.needs,
    mentions: servicesMentionedIn(service),
    env: Object.fromEntries(
      Object.entries(service.env).map(([variable, value]) => [variable, String(value)]),
    ),
    health: service.health,
    version: service.version,
    sideEffects: service.sideEffects,
    control: service.control,
  }) as Service;
}

function servicesMentionedIn({ run, env, health }: DeclaredService): string[] {
  const commands = typeof run === 'string' ? [run] : (run ?? []);
  const texts = [...commands, ...Object.values(env).map(String), health ?? ''];
  const mentioned = texts.flatMap(referencesIn).filter((each) => each.kind === 'service');
  return [...new Set(mentioned.map(({ name }) => name))];
}

/** Each after what it needs; otherwise in the order of the file. */
function inOrderOfNeeds(services: readonly Service[]): Service[] {
  const ordered: Service[] = [];
  const visit = (service: Service): void => {
    if (ordered.includes(service)) return;
    for (const need of service.needs) {
      const needed = services.find((other) => other.name === need);
      if (needed !== undefined) visit(needed);
    }
    ordered.push(service);
  };
  for (const service of services) visit(service);
  return ordered;
}

function assembleCheck(name: string, check: DeclaredCheck): Check {
  if ('sql' in check) {
    return {
      name,
      kind: 'sql',
      store: check.sql,
      query: check.query,
      expect: String(check.expect),
    };
  }
  if ('keys' in check) {
    const [store = '', ...rest] = check.keys.split('.');
    const column = rest.pop() ?? '';
    const at = check.at === undefined ? {} : { at: check.at };
    return { name, kind: 'keys', store, table: rest.join('.'), column, in: check.in, ...at };
  }
  if ('http' in check) {
    const [service = ''] = check.http.split('/');
    const address = check.http.slice(service.length);
    return { name, kind: 'http', service, path: address || '/', expect: check.expect };
  }
  return { name, kind: 'command', command: check.command };
}
