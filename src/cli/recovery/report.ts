/** One shape of a recovery, for people and for `--json`, whether a server or this process recovered. */
import { withoutPassword } from '#base';
import type {
  CheckOutcome,
  Choice,
  RecoverResult,
  RecoveryLife,
  RecoveryState,
  StoreSelection,
} from '#recovery';
import type { Schemas } from '../control-plane/client.ts';

export type ShownStore = Omit<StoreSelection, 'leftBehind' | 'position' | 'notes'> & {
  leftBehind?: string | undefined;
  position?: { line: number; offset: string } | undefined;
  notes?: string[] | undefined;
  url?: string | undefined;
  urlFile?: string | undefined;
  directory?: string | undefined;
  replaced?: string | undefined;
  /** Its content comes from the repository as it is touched. */
  isMounted?: boolean | undefined;
};

export type ShownRecovery = {
  id: string;
  environment: string;
  stage: string;
  status: Schemas['Recovery']['status'];
  inPlace: boolean;
  createdAtMs: number;
  instantMs: number;
  title: string;
  folder?: string | undefined;
  stores: ShownStore[];
  services: { name: string; url: string }[];
  checks: CheckOutcome[];
  phases: { phase: string; tookMs: number }[];
  bytesRead: number;
  /** Why all data was written out before anything started, though it was to be mounted. */
  notMounted?: string | undefined;
  error?: string | undefined;
  /** Of one that is mounted: how much is here, and what brings the rest. */
  hydration?: Schemas['Recovery']['hydration'] | undefined;
  /** Stores whose mount lost the process that served it. */
  unserved?: string[] | undefined;
  /** What went wrong where something of its mounts was read. */
  troubles?: string[] | undefined;
  /** It was being made, switched or removed, and who was at it has ended. */
  isCut?: true | undefined;
};

export function shownState(
  state: RecoveryState,
  life: RecoveryLife = { unserved: [] },
): ShownRecovery {
  const { stores, services, error, hydration: _asked, ...rest } = state;
  const { hydration, unserved, troubles, isCut } = life;
  return {
    ...rest,
    stores: Object.values(stores).map(
      ({ selection, url, urlFile, directory, replaced, mounted }) => ({
        ...selection,
        ...{ url, directory },
        ...(urlFile === undefined ? {} : { urlFile }),
        ...(replaced === undefined ? {} : { replaced }),
        ...(mounted && { isMounted: true }),
      }),
    ),
    services: services.map(({ name, url }) => ({ name, url })),
    ...(hydration && { hydration }),
    ...(unserved.length > 0 && { unserved }),
    ...(troubles && { troubles }),
    ...(isCut && { isCut }),
    ...(error === undefined ? {} : { error }),
  };
}

/** For output that may be kept or seen by others: the whole address lies in `urlFile`, and `recovery open` shows it. */
export function withoutPasswords<T extends ShownRecovery>(shown: T): T {
  return {
    ...shown,
    stores: shown.stores.map((store) =>
      store.url === undefined ? store : { ...store, url: shownAddress(store.url) },
    ),
    services: shown.services.map((service) => ({ ...service, url: shownAddress(service.url) })),
  };
}

/** A folder is its own address. */
export function shownAddress(address: string): string {
  return address.includes('://') ? withoutPassword(address) : address;
}

export function shownAnswer(answer: Schemas['Recovery']): ShownRecovery {
  const { failure, progress: _progress, ...rest } = answer;
  return { ...rest, ...(failure === undefined ? {} : { error: failure.message }) };
}

export function shownChoice(
  choice: Choice,
  scope: { environment: string; stage: string },
): ShownRecovery {
  return {
    id: '',
    ...scope,
    status: 'planned',
    inPlace: false,
    createdAtMs: choice.instantMs,
    instantMs: choice.instantMs,
    title: choice.title,
    stores: choice.stores.map(({ selection }) => selection),
    services: [],
    checks: [],
    phases: [],
    bytesRead: 0,
  };
}

export type Problems = RecoverResult['problems'];
