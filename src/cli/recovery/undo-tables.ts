/** `holdfast recovery undo m…`: a merge of rows taken back. */
import type { ExitCode, Io } from '../command.ts';
import type { Options } from './access.ts';
import { agreeTo, textOf, withParts } from './parts-session.ts';
import { undoneLines } from './show-tables.ts';
import { productionUrl } from './take-tables.ts';

export async function undoTables(id: string, options: Options, io: Io): Promise<ExitCode> {
  await agreeTo('Rows that this merge brought to production are taken back.', options, io);
  const [store, database] = [textOf(options.store), textOf(options.database)];
  return await withParts(options, io, async (parts) => {
    const { undoTables: undo } = await import('#app/recovery');
    const { recoveryErrors } = await import('#recovery');
    const tables = await undo(parts, id, {
      ...(await productionUrl(options)),
      ...(store === undefined ? {} : { store }),
      ...(database === undefined ? {} : { database }),
    });
    if (!tables) throw recoveryErrors.noSuchMerge([id]);
    for (const line of undoneLines(id, tables)) io.say(line);
    io.result({ id, tables });
    return tables.some(({ changedSince }) => changedSince > 0) ? 3 : 0;
  });
}
