import type { InspectionFinding, StoreSettings } from '../../source.ts';
import type { PostgresConfig } from '../config.ts';
import { quoteIdentifier } from '../errors.ts';
import type { ServerState } from './server-state.ts';

/** What protecting a cluster through one of its standbys brings with it, and what can't be had so. */
export function standbyFindings(
  store: StoreSettings<PostgresConfig>,
  state: Pick<ServerState, 'upstream' | 'hasPageWrites' | 'role'>,
): InspectionFinding[] {
  const { upstream } = state;
  if (!upstream) return [];
  return [
    IS_A_STANDBY,
    pageWrites(state),
    synchronous(store),
    upstream.isFollowing ? hidden(state) : followsNobody(),
  ].filter((finding) => finding !== undefined);
}

const IS_A_STANDBY: InspectionFinding = {
  severity: 'note',
  code: 'standby',
  what: "it is a standby: its lag adds to the RPO, a base begins at its primary's last checkpoint however it is asked for, and its slot does not follow a promotion of another standby",
};

function pageWrites({ hasPageWrites }: Pick<ServerState, 'hasPageWrites'>) {
  if (hasPageWrites) return undefined;
  return {
    severity: 'refuse' as const,
    code: 'standby-without-page-writes',
    what: 'its primary runs with full_page_writes off: no base can be taken from a standby then',
    mend: 'on the primary: ALTER SYSTEM SET full_page_writes = on; SELECT pg_reload_conf(); CHECKPOINT;  -- then on the standby: CHECKPOINT;',
  };
}

/** A primary waits for its own standbys, never for what hangs on one of them. */
function synchronous({ rpoMs }: StoreSettings<PostgresConfig>): InspectionFinding | undefined {
  if (rpoMs !== 0) return undefined;
  return {
    severity: 'refuse',
    code: 'synchronous-from-standby',
    what: 'rpo: 0 needs the primary as the source: its commits cannot wait for what streams from a standby',
    mend: "name the primary in this store's url, or give the store an rpo above 0",
  };
}

function hidden({ upstream, role }: Pick<ServerState, 'upstream' | 'role'>) {
  if (upstream?.clockOffsetMs !== undefined || role.isMonitor || role.isSuperuser) return undefined;
  return {
    severity: 'warn' as const,
    code: 'upstream-hidden',
    what: `role ${role.name} may not see what the primary last said: clocks can't be compared, and windows end with the last commit`,
    mend: `GRANT pg_monitor TO ${quoteIdentifier(role.name)};  -- on the primary`,
  };
}

function followsNobody(): InspectionFinding {
  return {
    severity: 'warn',
    code: 'standby-follows-nobody',
    what: 'it receives no WAL at the moment: what its primary commits is not protected',
    mend: 'look at primary_conninfo and at the log of the standby',
  };
}
