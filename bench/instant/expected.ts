/** The first query that a copy is asked, and what a right one answers. */
import { withClient } from './requests.ts';

export type Expected = { ask(url: string): Promise<void> };

/** Looks at a row by an index, at a page in the middle of the large table, and at how large that is. */
export function expectCopy(fillerBytes: number, realPages: number): Expected {
  const page = Math.floor(realPages / 2);
  return {
    ask: (url) =>
      withClient(url, async (client) => {
        const { rows } = await client.query(
          `select (select id from filler where ctid = '(${page},1)') as id,
            (select abalance from pgbench_accounts where aid = 7) is not null as has_account,
            pg_relation_size('filler') as bytes`,
        );
        const [row] = rows;
        if (Number(row.id) !== page || !row.has_account || Number(row.bytes) !== fillerBytes) {
          throw new Error(`the copy answered ${JSON.stringify(row)}`);
        }
      }),
  };
}
