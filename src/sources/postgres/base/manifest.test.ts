import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32c } from '../wal/crc32c.ts';
import { ManifestCheck } from './manifest.ts';

const FILES = [
  { path: 'PG_VERSION', content: '15\n' },
  { path: 'base/1/112', content: 'x'.repeat(100) },
  { path: 'b\xffd', content: '' },
];

function crcText(content: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(crc32c(Buffer.from(content)));
  return bytes.toString('hex');
}

/** As Postgres writes it: one file a line, a name that isn't UTF-8 in hexadecimal. */
function manifestOf(files: typeof FILES): Buffer {
  const lines = files.map(({ path, content }) => {
    const name = path.includes('\xff')
      ? `"Encoded-Path": "${Buffer.from(path, 'latin1').toString('hex')}"`
      : `"Path": "${path}"`;
    return `{ ${name}, "Size": ${content.length}, "Last-Modified": "2026-11-21 13:00:00 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "${crcText(content)}" }`;
  });
  const body = `{ "PostgreSQL-Backup-Manifest-Version": 1,\n"Files": [\n${lines.join(',\n')}\n],\n"WAL-Ranges": [\n{ "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000138" }\n],\n`;
  const sum = createHash('sha256').update(body).digest('hex');
  return Buffer.from(`${body}"Manifest-Checksum": "${sum}"}\n`);
}

function check(manifest: Buffer, seen = FILES, pieceBytes = manifest.length): void {
  const judge = new ManifestCheck();
  for (const { path, content } of seen) {
    judge.saw(path, { sizeBytes: content.length, crc32c: crc32c(Buffer.from(content)) });
  }
  for (let at = 0; at < manifest.length; at += pieceBytes) {
    judge.take(manifest.subarray(at, at + pieceBytes));
  }
  judge.finish();
}

describe('a backup manifest', () => {
  test('agrees with what came, in pieces of any size', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 600 }), (size) => {
        check(manifestOf(FILES), FILES, size);
      }),
    );
  });

  const mismatch = expect.objectContaining({ code: 'postgres/manifest-mismatch' });

  test('names a file that lacks, is too much, has another size or other bytes', () => {
    const [version, table, odd] = FILES as [
      (typeof FILES)[0],
      (typeof FILES)[0],
      (typeof FILES)[0],
    ];
    expect(() => check(manifestOf(FILES), [version, odd])).toThrow(/base\/1\/112 didn't come/);
    expect(() => check(manifestOf([version, odd]))).toThrow(/base\/1\/112 came and isn't in it/);
    const shorter = { ...table, content: 'x'.repeat(99) };
    expect(() => check(manifestOf(FILES), [version, shorter, odd])).toThrow(
      /99 bytes instead of 100/,
    );
    const other = { ...table, content: 'y'.repeat(100) };
    expect(() => check(manifestOf(FILES), [version, other, odd])).toThrow(mismatch);
  });

  test('tells when itself was changed or cut', () => {
    const manifest = manifestOf(FILES);
    const changed = Buffer.from(
      manifest.toString('latin1').replace('13:00:00', '13:00:01'),
      'latin1',
    );
    expect(() => check(changed)).toThrow(mismatch);
    expect(() => check(manifest.subarray(0, -80))).toThrow(
      expect.objectContaining({ code: 'postgres/protocol-broken' }),
    );
  });
});
