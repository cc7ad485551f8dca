/** What would be protected, how, and what stands in the way: a judgement of values, without looking at anything. */
import type { Environment, Store } from '../model.ts';

/** One thing that a person should know of a store, as its source found it. */
export type PlanFinding = {
  severity: 'refuse' | 'warn' | 'note';
  code: string;
  what: string;
  /** The exact statement, command or line that mends it. */
  mend?: string;
};

/** What looking at a store gave; a source's `Inspection` fits it. */
export type StoreInspection = {
  method: string;
  reachable: boolean;
  findings: readonly PlanFinding[];
  sizeBytes?: number;
  facts: Record<string, unknown>;
};

/** Data that was seen around here and that no store declares. */
export type Undeclared = {
  name: string;
  /** `volume`, `postgres`: what it seems to be. */
  kind: string;
  /** `compose.yaml:41`, `DATABASE_URL`. */
  seenAt: string;
  inspection?: StoreInspection;
};

export type PlanVerdict =
  | 'ready'
  /** It will be protected, with a limit that a person must know. */
  | 'attention'
  /** It can't be protected as declared. */
  | 'refused'
  /** It couldn't be asked: nobody knows. */
  | 'unreachable'
  /** Left out, with a reason. */
  | 'excluded'
  /** Left out, and nobody said why. */
  | 'unexplained'
  /** Seen, and not declared. */
  | 'undeclared';

export type PlannedStore = {
  name: string;
  verdict: PlanVerdict;
  method: string;
  rpoMs?: number;
  /** One line: how it stands now. */
  now: string;
  findings: PlanFinding[];
  sizeBytes?: number;
  /** True where counting stopped at its bound: at least so much. */
  sizeIsLowerBound: boolean;
};

export type Plan = {
  /** Undefined where there is no file. */
  environment?: string;
  stage?: string;
  stores: PlannedStore[];
  services: number;
  /** Names of what would have no recovery point. The gate fails where there is one. */
  unprotected: string[];
  /** Names of what a person should look at; the unprotected ones too. */
  attention: string[];
  firstCapture?: {
    sizeBytes: number;
    isLowerBound: boolean;
    estimateMs: number;
    rateBytesPerSecond: number;
  };
};

/** A careful guess at what reading production, hashing and writing do together. */
const RATE_BYTES_PER_SECOND = 200e6;

const UNPROTECTED: ReadonlySet<PlanVerdict> = new Set([
  'refused',
  'unreachable',
  'unexplained',
  'undeclared',
]);

/** `inspections` by name of store; one that is missing counts as unreachable. */
export function makePlan(
  environment: Environment | undefined,
  inspections: ReadonlyMap<string, StoreInspection>,
  undeclared: readonly Undeclared[],
): Plan {
  const stores = [
    ...(environment?.stores ?? []).map((store) => planStore(store, inspections.get(store.name))),
    ...undeclared.map(planUndeclared),
  ];
  const named = (wanted: (verdict: PlanVerdict) => boolean) =>
    stores.filter((store) => wanted(store.verdict)).map((store) => store.name);
  const firstCapture = estimate(stores);
  return {
    ...(environment && { environment: environment.name, stage: environment.stage }),
    stores,
    services: environment?.services.length ?? 0,
    unprotected: named((verdict) => UNPROTECTED.has(verdict)),
    attention: named((verdict) => verdict === 'attention' || UNPROTECTED.has(verdict)),
    ...(firstCapture && { firstCapture }),
  };
}

function planStore(store: Store, inspection: StoreInspection | undefined): PlannedStore {
  if (store.protect.kind === 'none') return planExcluded(store.name, store.protect.because);
  const rpoMs = 'rpoMs' in store ? store.rpoMs : 0;
  if (inspection === undefined) {
    return {
      name: store.name,
      verdict: 'unreachable',
      method: store.type,
      rpoMs,
      now: 'could not be looked at',
      findings: [],
      sizeIsLowerBound: false,
    };
  }
  const findings = bySeverity(inspection.findings);
  const verdict = verdictOf(inspection);
  return {
    name: store.name,
    verdict,
    method: inspection.method,
    rpoMs,
    now: verdict === 'ready' ? 'ready' : (findings[0]?.what ?? 'could not be reached'),
    findings,
    ...(inspection.sizeBytes !== undefined && { sizeBytes: inspection.sizeBytes }),
    sizeIsLowerBound: inspection.facts.sizeIsLowerBound === true,
  };
}

function planExcluded(name: string, because: string): PlannedStore {
  const isExplained = because !== '';
  return {
    name,
    verdict: isExplained ? 'excluded' : 'unexplained',
    method: 'none',
    now: isExplained ? `"${because}"` : 'not protected, no reason given',
    findings: isExplained
      ? []
      : [
          {
            severity: 'refuse',
            code: 'no-reason',
            what: 'is not protected, and the file does not say why',
            mend: 'because: <why losing it is all right>',
          },
        ],
    sizeIsLowerBound: false,
  };
}

function planUndeclared(seen: Undeclared): PlannedStore {
  const { inspection } = seen;
  const advice: PlanFinding = {
    severity: 'refuse',
    code: 'undeclared',
    what: 'declare it, or protect: none with a reason',
  };
  return {
    name: seen.name,
    verdict: 'undeclared',
    method: 'undeclared',
    now: `${seen.kind} at ${seen.seenAt}`,
    findings: [advice, ...bySeverity(inspection?.findings ?? [])],
    ...(inspection?.sizeBytes !== undefined && { sizeBytes: inspection.sizeBytes }),
    sizeIsLowerBound: false,
  };
}

function verdictOf(inspection: StoreInspection): PlanVerdict {
  const has = (severity: PlanFinding['severity']) =>
    inspection.findings.some((finding) => finding.severity === severity);
  if (!inspection.reachable) return 'unreachable';
  if (has('refuse')) return 'refused';
  return has('warn') ? 'attention' : 'ready';
}

function bySeverity(findings: readonly PlanFinding[]): PlanFinding[] {
  const order = ['refuse', 'warn', 'note'];
  return findings.toSorted((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
}

/** Of what would be captured: what is refused or unknown is not counted. */
function estimate(stores: readonly PlannedStore[]): Plan['firstCapture'] {
  const counted = stores.filter(
    (store) =>
      (store.verdict === 'ready' || store.verdict === 'attention') && store.sizeBytes !== undefined,
  );
  if (counted.length === 0) return undefined;
  const sizeBytes = counted.reduce((sum, store) => sum + (store.sizeBytes ?? 0), 0);
  return {
    sizeBytes,
    isLowerBound: counted.some((store) => store.sizeIsLowerBound),
    estimateMs: Math.ceil((sizeBytes / RATE_BYTES_PER_SECOND) * 1000),
    rateBytesPerSecond: RATE_BYTES_PER_SECOND,
  };
}
