/** What must hold after a recovery. The first field says which kind of check it is. */
import { z } from 'zod';
import { commandLine, name, text } from './values.ts';

const sqlCheck = z
  .strictObject({
    sql: name.describe('a store that answers SQL'),
    query: text.describe('one query; it runs read-only'),
    expect: z
      .union([z.string().min(1, 'is empty'), z.number()], { error: 'must be a text or a number' })
      .default('empty')
      .describe('empty, or the first value: 42, ">3", "<=0.1"'),
  })
  .describe('a query and what it must give');

const keysCheck = z
  .strictObject({
    keys: z
      .string()
      .regex(
        /^[a-z0-9-]+(\.[^.\s]+){2,3}$/,
        'must be store.table.column (or store.schema.table.column)',
      )
      .describe('store.table.column'),
    in: name.describe('the store whose files they name'),
    at: text
      .optional()
      .describe(
        'column of the table with the time of writing: what is younger than the recovered folder is not looked for',
      ),
  })
  .describe('every value of a column is a file');

const httpCheck = z
  .strictObject({
    http: z
      .string()
      .regex(/^[a-z0-9-]+(\/\S*)?$/, 'must be service/path, such as api/healthz')
      .describe('service/path'),
    expect: z.int().min(100).max(599).default(200).describe('status of the answer'),
  })
  .describe('an address of a service and the status it must answer');

const commandCheck = z
  .strictObject({ command: commandLine.describe('a line for sh; it passes by exiting 0') })
  .describe('a command line that must exit 0');

export const checkPart = z.union([sqlCheck, keysCheck, httpCheck, commandCheck]);

export type DeclaredCheck = z.output<typeof checkPart>;
