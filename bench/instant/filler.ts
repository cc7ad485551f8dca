/** A table of incompressible, distinct pages, made where Postgres keeps it: its own INSERT would take minutes for each GiB. */
import fs from 'node:fs';
import path from 'node:path';
import { randomBytes } from '#base';
import type { TestServer } from '../../src/sources/postgres/test-server.ts';
import { asUser, measure } from '../measure.ts';

export const PAGE_BYTES = 8192;
const PAGES_AT_ONCE = 2048;
/** One row fills its page: 24 bytes of header, 8 of id, 4 of length. */
const BODY_BYTES = 8124;
/** Where in a page the place of its only row is noted, and the row's id and body. */
const CTID_AT = 32 + 12;
const ID_AT = 32 + 24;
const BODY_AT = ID_AT + 12;

/** File of the table in the data directory. */
export type Filler = { file: string; pages: number };

/** Whole MiB of them. The server is stopped meanwhile; its checksums are right afterwards. */
export async function makeFiller(server: TestServer, bytes: number): Promise<Filler> {
  const pages = Math.max(1, Math.floor(bytes / 2 ** 20)) * (2 ** 20 / PAGE_BYTES);
  const [row] = await server.sql(
    'create table filler (id bigint, body bytea)',
    'alter table filler alter column body set storage plain',
    `insert into filler values (0, decode(repeat('00', ${BODY_BYTES}), 'hex'))`,
    'vacuum (freeze) filler',
    'checkpoint',
    "select pg_relation_filepath('filler') as file",
  );
  const file = String(row?.file);
  await server.stop();
  const checksums = (change: string) =>
    measure(
      asUser(server.user, [
        path.join(server.binaries, 'pg_checksums'),
        ...[change, '-N', '-D', server.dataDirectory],
      ]),
    );
  await checksums('--disable');
  writePages(path.join(server.dataDirectory, file), pages);
  await checksums('--enable');
  await server.start();
  return { file, pages };
}

function writePages(file: string, pages: number): void {
  const descriptor = fs.openSync(file, 'r+');
  try {
    const first = Buffer.alloc(PAGE_BYTES);
    fs.readSync(descriptor, first, 0, PAGE_BYTES, 0);
    const rowAt = first.readUInt16LE(24) & 0x7fff;
    for (let page = 0; page < pages; page += PAGES_AT_ONCE) {
      const count = Math.min(PAGES_AT_ONCE, pages - page);
      const bytes = randomBytes(count * PAGE_BYTES);
      for (let each = 0; each < count; each += 1) {
        const at = each * PAGE_BYTES;
        first.copy(bytes, at, 0, rowAt + BODY_AT - 32);
        bytes.writeUInt16LE((page + each) >>> 16, at + rowAt + CTID_AT - 32);
        bytes.writeUInt16LE((page + each) & 0xffff, at + rowAt + CTID_AT - 30);
        bytes.writeBigInt64LE(BigInt(page + each), at + rowAt + ID_AT - 32);
      }
      fs.writeSync(descriptor, bytes, 0, bytes.length, page * PAGE_BYTES);
    }
  } finally {
    fs.closeSync(descriptor);
  }
}
