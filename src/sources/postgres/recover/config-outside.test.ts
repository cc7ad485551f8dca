/** Configuration outside the data directory, as Debian lays it out: captured, read for copies, given back. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CaptureOutcome } from '../../source.ts';
import { readFilesGrant } from '../base/config-files.ts';
import { connectSql, parseConnectionUrl } from '../connection/index.ts';
import { CONFIG_FOLDER } from '../facts.ts';
import { inspectPostgres } from '../inspect/inspect.ts';
import { startTestServer, type TestServer } from '../test-server.ts';
import { captureTo, contextIn, storeAt } from '../testing.ts';
import { settleCopy, stopCopy } from './life.ts';
import { recoverPostgres } from './recover.ts';

describe.each([15, 18] as const)(
  'configuration of Postgres %i outside its data directory',
  (major) => {
    let server: TestServer;
    let base: CaptureOutcome;
    const under = (...names: string[]) => path.join(server.folder, ...names);

    const write = async (name: string, text: string) => {
      await fs.mkdir(path.dirname(under(name)), { recursive: true });
      await fs.writeFile(under(name), text);
    };
    const role = (name: string) => storeAt(server, { url: server.url(name, 'x') });

    beforeAll(async () => {
      server = await startTestServer({ major, configOutside: true });
      await write('config/conf.d/50-memory.conf', "work_mem = '7MB'\n");
      await write('config/conf.d/60-memory.conf', "work_mem = '9MB'\ninclude '../shared.conf'\n");
      // Nothing of it is in force, so that only who reads the files knows of it.
      await write('config/shared.conf', "work_mem = '5MB'\n");
      await write('elsewhere.conf', "default_statistics_target = '77'\n");
      await fs.appendFile(
        under('config/postgresql.conf'),
        "include_dir 'conf.d'\ninclude_if_exists = 'nowhere.conf'\nwork_mem = '11MB'\ninclude 'linked.conf'\n",
      );
      await fs.symlink(under('elsewhere.conf'), under('config/linked.conf'));
      await server.sql(
        "create role shop login replication password 'x'",
        'grant pg_monitor to shop',
        readFilesGrant('shop'),
        "create role bare login replication password 'x'",
        'grant pg_monitor to bare',
        'select pg_reload_conf()',
      );
      await server.stop();
      await server.start();
      expect(await server.sql('show work_mem')).toEqual([{ work_mem: '11MB' }]);
      const captured = await captureTo(under('restored'), server, role('shop'));
      expect(captured.problems).toEqual([]);
      base = captured.outcome;
    });
    afterAll(() => server.remove());

    test('is in the base, also what is included and what is not in force', async () => {
      const kept = await fs.readdir(under('restored', CONFIG_FOLDER, server.folder, 'config'), {
        recursive: true,
      });
      expect(kept.sort()).toEqual([
        'conf.d',
        'conf.d/50-memory.conf',
        'conf.d/60-memory.conf',
        'linked.conf',
        'pg_hba.conf',
        'pg_ident.conf',
        'postgresql.conf',
        'shared.conf',
      ]);
      const text = await fs.readFile(
        under('restored', CONFIG_FOLDER, under('config/postgresql.conf')),
        'utf8',
      );
      expect(text).toBe(await fs.readFile(under('config/postgresql.conf'), 'utf8'));
    });

    test('is told by plan, with the statement that lets it be captured', async () => {
      const findings = async (name: string) => {
        const seen = await inspectPostgres(role(name), contextIn(server.folder));
        return seen.findings.find(({ code }) => code === 'config-outside');
      };
      expect((await findings('bare'))?.mend).toBe(readFilesGrant('bare'));
      expect((await findings('shop'))?.what).toContain(under('config/pg_hba.conf'));
      expect((await findings('shop'))?.mend).toBeUndefined();
      const poor = await captureTo(under('poor'), server, role('bare'));
      expect(poor.problems.sort()[0]).toContain(`${under('config/linked.conf')} on the server`);
      expect(poor.problems[0]).toContain(readFilesGrant('bare'));
    });

    test('is what a copy takes its settings from, and nothing else of it', async () => {
      const directory = under('restored');
      const scratch = under('scratch');
      await fs.mkdir(scratch, { mode: 0o700 });
      const copy = await recoverPostgres(
        { capture: base, directory, scratch, mode: 'beside' },
        contextIn(scratch),
      );
      const sql = await connectSql(parseConnectionUrl(String(copy.facts.socketUrl)));
      try {
        const [seen] = await sql.query(
          `select current_setting('work_mem') as memory, current_setting('config_file') as config,
                  current_setting('default_statistics_target') as target`,
        );
        expect(seen).toEqual({
          memory: '11MB',
          config: path.join(scratch, 'config', 'postgresql.conf'),
          target: '77',
        });
        const files = await sql.queryIfAllowed<{ file: string }>(
          'select distinct sourcefile as file from pg_settings where sourcefile is not null',
        );
        for (const { file } of files ?? []) expect(path.dirname(file)).toMatch(scratch);
      } finally {
        await sql.close();
        await stopCopy(directory);
      }
    });

    test('stays where it is on this host, and comes back on one that has not got it', async () => {
      await fs.cp(under('restored'), under('other'), { recursive: true });
      await fs.cp(under('scratch'), under('other-scratch'), { recursive: true });
      const home = server.dataDirectory;
      await server.stop();
      await fs.rename(home, `${home}.replaced`);
      await settleCopy({ directory: under('restored'), scratch: under('scratch'), home });
      await fs.rename(under('restored'), home);
      await server.start();
      const [here] = await server.sql("select current_setting('config_file') as file");
      expect(here?.file).toBe(under('config/postgresql.conf'));
      await server.stop();

      await fs.rename(under('config'), under('config.gone'));
      await fs.rename(home, `${home}.first`);
      await settleCopy({ directory: under('other'), scratch: under('other-scratch'), home });
      await settleCopy({ directory: under('other'), scratch: under('other-scratch'), home });
      await fs.rename(under('other'), home);
      await server.start();
      const [there] = await server.sql(
        `select current_setting('config_file') as file, current_setting('hba_file') as hba,
                current_setting('work_mem') as memory, current_setting('port') as port`,
      );
      const file = path.join(home, 'postgresql.conf');
      const hba = path.join(home, 'pg_hba.conf');
      expect(there).toEqual({ file, hba, memory: '11MB', port: String(server.port) });
    });
  },
);

test('a link in the data directory is captured as what it leads to', async () => {
  const server = await startTestServer({ major: 15 });
  try {
    const inside = path.join(server.dataDirectory, 'pg_hba.conf');
    const outside = path.join(server.folder, 'linked-hba.conf');
    await fs.rename(inside, outside);
    await fs.symlink(outside, inside);
    const target = path.join(server.folder, 'restored');
    const { problems } = await captureTo(target, server, storeAt(server));
    expect(problems).toEqual([]);
    const captured = await fs.readFile(path.join(target, 'pg_hba.conf'), 'utf8');
    expect(captured).toBe(await fs.readFile(outside, 'utf8'));
  } finally {
    await server.remove();
  }
});
