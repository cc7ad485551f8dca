/** What of production no WAL holds: its configuration, what a copy needs alike, and its clock. Asked by a few queries. */
import { messageOf } from '#base';
import type { SourceContext } from '../../source.ts';
import { type ClockOffset, measureClock } from '../base/clock.ts';
import { configFilesOf } from '../base/config-files.ts';
import { copyNeeds } from '../base/server-facts.ts';
import { connectSql, parseConnectionUrl, type SqlConnection } from '../connection/index.ts';
import { CONFIG_FOLDER } from '../facts.ts';
import { latin1Of } from '../latin1.ts';
import { AUTOMATIC_CONFIG } from '../recover/tree.ts';

export type ProductionNow = {
  /** Undefined of a standby, whose clock says nothing of what its primary commits. */
  clock: ClockOffset | undefined;
  needs: Record<string, unknown>;
  /** Undefined where this role may not read all of it: what the base before has of it stays. */
  config: ProductionConfig | undefined;
};

export type ProductionConfig = {
  /** By their paths in a base. */
  files: Map<string, Buffer>;
  /** Absolute paths of those outside the data directory. */
  outside: string[];
};

const LARGEST_CONFIG_BYTES = 4 * 2 ** 20;

/** Undefined where production can't be asked: what is known stays then. */
export async function askProduction(
  own: Record<string, unknown> | undefined,
  { log }: Pick<SourceContext, 'log'>,
): Promise<ProductionNow | undefined> {
  if (typeof own?.url !== 'string') return undefined;
  try {
    const sql = await connectSql(parseConnectionUrl(own.url));
    try {
      return await askedBy(sql);
    } finally {
      await sql.close();
    }
  } catch (error) {
    log.warn({ reason: messageOf(error) }, 'production was not asked for its configuration');
    return undefined;
  }
}

async function askedBy(sql: SqlConnection): Promise<ProductionNow> {
  const [standby] = await sql.query<{ is: boolean }>('select pg_is_in_recovery() as is');
  return {
    clock: standby?.is ? undefined : await measureClock(sql),
    needs: await copyNeeds(sql),
    config: await configOf(sql),
  };
}

async function configOf(sql: SqlConnection): Promise<ProductionConfig | undefined> {
  const { files: outside, inside, unreadable } = await configFilesOf(sql);
  const isKnown = outside.length + inside.length > 0 && unreadable.length === 0;
  if (!isKnown || inside.some(({ content }) => content === undefined)) return undefined;
  const files = new Map<string, Buffer>();
  for (const { path, content } of inside) if (content) files.set(latin1Of(path), content);
  for (const { absolutePath, content } of outside) {
    files.set(latin1Of(CONFIG_FOLDER + absolutePath), content);
  }
  const automatic = await sql.queryIfAllowed<{ content: Buffer | null }>(
    'select pg_read_binary_file($1, 0, $2, true) as content',
    [AUTOMATIC_CONFIG, LARGEST_CONFIG_BYTES],
  );
  const content = automatic?.[0]?.content;
  if (content) files.set(AUTOMATIC_CONFIG, content);
  return { files, outside: outside.map(({ absolutePath }) => absolutePath) };
}
