/** `holdfast recovery undo m…`: a merge of rows taken back. */
import type { UndoneTable } from '#sources';
import type { ExitCode, Io } from '../command.ts';
import type { Options } from './access.ts';
import { undoServed } from './parts-served.ts';
import { agreeTo, textOf, withParts } from './parts-session.ts';
import { undoneLines } from './show-tables.ts';
import { productionUrl } from './take-tables.ts';

export async function undoTables(id: string, options: Options, io: Io): Promise<ExitCode> {
  await agreeTo('Rows that this merge brought to production are taken back.', options, io);
  const [store, database] = [textOf(options.store), textOf(options.database)];
  const url = await productionUrl(options);
  const request = {
    ...(url.url === undefined ? {} : { productionUrl: url.url }),
    ...(store === undefined ? {} : { store }),
    ...(database === undefined ? {} : { database }),
  };
  const served = await undoServed(id, request, options, io);
  if (served) return tellUndone(id, served.tables, io);
  return await withParts(options, io, async (parts) => {
    const { undoTables: undo } = await import('#app/recovery');
    const { recoveryErrors } = await import('#recovery');
    const tables = await undo(parts, id, {
      ...url,
      ...(store === undefined ? {} : { store }),
      ...(database === undefined ? {} : { database }),
    });
    if (!tables) throw recoveryErrors.noSuchMerge([id]);
    return tellUndone(id, tables, io);
  });
}

function tellUndone(id: string, tables: UndoneTable[], io: Io): ExitCode {
  for (const line of undoneLines(id, tables)) io.say(line);
  io.result({ id, tables });
  return tables.some(({ changedSince }) => changedSince > 0) ? 3 : 0;
}
