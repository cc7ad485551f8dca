import fs from 'node:fs/promises';
import path from 'node:path';
import { type HoldfastError, isHoldfastError } from '#base';
import type { Inspection, InspectionFinding, SourceContext, StoreSettings } from '../../source.ts';
import { type ClockOffset, measureClock } from '../base/clock.ts';
import type { PostgresConfig } from '../config.ts';
import {
  type ConnectionSettings,
  connectReplication,
  connectSql,
  isThisHost,
  parseConnectionUrl,
  type SqlConnection,
} from '../connection/index.ts';
import { slotName } from '../wal/slot.ts';
import { judgeServer } from './findings.ts';
import { readServerState, type ServerState } from './server-state.ts';
import { standbyFindings } from './standby.ts';
import { synchronousFindings } from './synchronous.ts';

const METHOD = 'physical stream';
/** A copy whose clock differs more than this is worth a line: instants are those of the store's clock. */
const NOTED_OFFSET_MS = 1000;

/** Looks at a Postgres server as `plan` does: reads, and changes nothing. */
export async function inspectPostgres(
  store: StoreSettings<PostgresConfig>,
  _context: SourceContext,
): Promise<Inspection> {
  const settings = parseConnectionUrl(store.own.url);
  const replication = await tryReplication(settings);
  const seen = await lookBySql(store, settings);
  if (isHoldfastError(seen)) return withoutSql(seen, replication);
  const { state, clock } = seen;
  const findings = judgeServer(state, store.own);
  if (replication && !isExplained(replication, findings)) findings.unshift(refusal(replication));
  findings.push(...standbyFindings(store, state), ...synchronousFindings(store, state));
  findings.push(...clockFindings(clock), ...(await walFolderFindings(settings, state)));
  const sizeBytes = firstCaptureBytes(state);
  return {
    method: METHOD,
    reachable: true,
    findings,
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    facts: { ...factsOf(state), clock },
  };
}

/** The only real test of pg_hba.conf and of a free WAL sender is a connection. */
async function tryReplication(settings: ConnectionSettings): Promise<HoldfastError | undefined> {
  try {
    await (await connectReplication(settings)).close();
    return undefined;
  } catch (error) {
    if (isHoldfastError(error)) return error;
    throw error;
  }
}

type Seen = { state: ServerState; clock: ClockOffset };

async function lookBySql(
  store: StoreSettings<PostgresConfig>,
  settings: ConnectionSettings,
): Promise<Seen | HoldfastError> {
  let sql: SqlConnection | undefined;
  try {
    sql = await connectSql(settings);
    const state = await readServerState(sql, store.own.slot ?? slotName(store));
    return { state, clock: await measureClock(sql) };
  } catch (error) {
    if (isHoldfastError(error)) return error;
    throw error;
  } finally {
    await sql?.close();
  }
}

/** Replication alone is enough to protect a store; but then nothing else can be looked at. */
function withoutSql(sqlFailure: HoldfastError, replication: HoldfastError | undefined): Inspection {
  if (replication) {
    return { method: METHOD, reachable: false, findings: [refusal(replication)], facts: {} };
  }
  return {
    method: METHOD,
    reachable: true,
    findings: [
      {
        severity: 'warn',
        code: 'no-sql',
        what: `nothing but replication can be asked: ${sqlFailure.message}`,
        mend: sqlFailure.guidance,
      },
    ],
    facts: {},
  };
}

function refusal(error: HoldfastError): InspectionFinding {
  return {
    severity: 'refuse',
    code: error.code.replace('postgres/', ''),
    what: error.message,
    mend: error.guidance,
  };
}

/** A connection that failed for what a finding says already, more exactly. */
function isExplained(error: HoldfastError, findings: InspectionFinding[]): boolean {
  const codes = findings.map((finding) => finding.code);
  if (error.code === 'postgres/not-replication-role') return codes.includes('no-replication-right');
  if (error.code === 'postgres/no-free-wal-sender') {
    return codes.includes('wal-level-minimal') || codes.includes('wal-senders-few');
  }
  return false;
}

function clockFindings({ offsetMs, uncertaintyMs }: ClockOffset): InspectionFinding[] {
  if (Math.abs(offsetMs) - uncertaintyMs < NOTED_OFFSET_MS) return [];
  const direction = offsetMs > 0 ? 'ahead of' : 'behind';
  return [
    {
      severity: 'warn',
      code: 'clock-offset',
      what: `its clock is ${(Math.abs(offsetMs) / 1000).toFixed(1)}s ${direction} the one of this host; instants are counted by it`,
      mend: 'run chrony or ntpd on both hosts',
    },
  ];
}

/** Seen only where the server runs on this host and its data directory may be entered. */
async function walFolderFindings(
  { host }: ConnectionSettings,
  { settings }: ServerState,
): Promise<InspectionFinding[]> {
  const directory = settings.get('data_directory');
  if (directory === undefined || !isThisHost(host)) return [];
  const target = await fs.readlink(path.join(directory, 'pg_wal')).catch(() => {
    // No link, or not ours to look at: nothing to say.
    return undefined;
  });
  if (target === undefined) return [];
  return [
    {
      severity: 'note',
      code: 'wal-elsewhere',
      what: `pg_wal lies at ${target}: a recovery keeps it in its own data directory`,
    },
  ];
}

function firstCaptureBytes({ storeBytes, walBytes }: ServerState): number | undefined {
  return storeBytes === undefined ? undefined : storeBytes + (walBytes ?? 0);
}

function factsOf(state: ServerState): Record<string, unknown> {
  return {
    version: state.version,
    standby: state.upstream !== undefined,
    settings: Object.fromEntries(state.settings),
    tablespaces: state.tablespaces,
    extensions: state.extensions,
    collations: state.collations,
    unloggedTables: state.unloggedTables,
    storeBytes: state.storeBytes,
    walBytes: state.walBytes,
  };
}
