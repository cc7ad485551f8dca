import type { InspectionFinding, StoreSettings } from '../../source.ts';
import type { PostgresConfig } from '../config.ts';
import { isThisHost, parseConnectionUrl } from '../connection/index.ts';
import type { ServerState } from './server-state.ts';

/**
 * What stands in the way of `rpo: 0`: a commit must wait for a spool, and that spool must not be lost together with the
 * server.
 */
export function synchronousFindings(
  store: StoreSettings<PostgresConfig>,
  { settings, upstream }: Pick<ServerState, 'settings' | 'upstream'>,
): InspectionFinding[] {
  // A standby is refused altogether, and its own settings say nothing of commits.
  if (store.rpoMs !== 0 || upstream) return [];
  return [
    spoolBeside(store),
    standbyNames(store.own.synchronousName, settings.get('synchronous_standby_names') ?? ''),
    commitLevel(settings.get('synchronous_commit') ?? 'on'),
  ].filter((finding) => finding !== undefined);
}

function spoolBeside({ own }: StoreSettings<PostgresConfig>): InspectionFinding | undefined {
  if (!isThisHost(parseConnectionUrl(own.url).host)) return undefined;
  return {
    severity: 'refuse',
    code: 'spool-beside-primary',
    what: "rpo: 0 counts on a spool that outlives the server's machine, and this is the same machine",
    mend: 'run Holdfast on another machine, or give the store an rpo above 0',
  };
}

function standbyNames(name: string, names: string): InspectionFinding | undefined {
  const isNamed = names.includes('*') || names.split(/[^A-Za-z0-9_$]+/).includes(name);
  if (isNamed) return undefined;
  return {
    severity: 'warn',
    code: 'not-synchronous',
    what: `rpo: 0 needs commits that wait for Holdfast, and synchronous_standby_names is '${names}'`,
    mend: `ALTER SYSTEM SET synchronous_standby_names = '${name}'; SELECT pg_reload_conf();  -- once Holdfast streams: from then on commits wait for it`,
  };
}

function commitLevel(level: string): InspectionFinding | undefined {
  if (level === 'on' || level === 'remote_write') return undefined;
  const mend = "ALTER SYSTEM SET synchronous_commit = 'on'; SELECT pg_reload_conf();";
  if (level === 'remote_apply') {
    return {
      severity: 'refuse',
      code: 'waits-for-apply',
      what: 'synchronous_commit is remote_apply: commits would wait for ever, for Holdfast applies nothing',
      mend,
    };
  }
  return {
    severity: 'warn',
    code: 'commits-do-not-wait',
    what: `synchronous_commit is ${level}: commits don't wait for Holdfast, so rpo: 0 isn't kept`,
    mend,
  };
}
