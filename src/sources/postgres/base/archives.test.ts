import { describe, expect, test } from 'vitest';
import type { ReplicationMessage } from '../connection/index.ts';
import { BackupReader } from './archives.ts';
import { baseBackupCommand } from './command.ts';

const SHARED: ReplicationMessage[] = [
  { kind: 'columns', names: ['recptr', 'tli'] },
  { kind: 'row', values: ['0/2000028', '1'] },
  { kind: 'complete', tag: 'SELECT' },
  { kind: 'columns', names: ['spcoid', 'spclocation', 'size'] },
  { kind: 'row', values: ['16384', '/srv/fast', null] },
  { kind: 'row', values: [null, null, null] },
  { kind: 'complete', tag: 'SELECT' },
];
const END: ReplicationMessage[] = [
  { kind: 'columns', names: ['recptr', 'tli'] },
  { kind: 'row', values: ['0/2000138', '1'] },
  { kind: 'complete', tag: 'SELECT' },
];
const copy = (...parts: string[]): ReplicationMessage[] => [
  { kind: 'copy-begins', direction: 'out' },
  ...parts.map((part): ReplicationMessage => ({ kind: 'data', bytes: Buffer.from(part) })),
  { kind: 'copy-ends' },
];

function partsOf(version: number, messages: ReplicationMessage[]): unknown[] {
  const reader = new BackupReader(version);
  return messages
    .flatMap((message) => reader.read(message))
    .map((part) => (part.kind === 'bytes' ? part.bytes.toString() : part));
}

const EXPECTED = [
  { kind: 'start', at: { lsn: 0x2000028n, timeline: 1 } },
  { kind: 'tablespaces', tablespaces: [{ oid: '16384', location: '/srv/fast' }] },
  { kind: 'archive', tablespace: '16384' },
  'fast',
  { kind: 'archive', tablespace: undefined },
  'base',
  { kind: 'manifest' },
  'manifest',
  { kind: 'end', at: { lsn: 0x2000138n, timeline: 1 } },
];

describe('the answer to BASE_BACKUP', () => {
  test('up to 14: a copy for each tablespace, the data directory and the manifest', () => {
    const messages = [...SHARED, ...copy('fast'), ...copy('base'), ...copy('manifest'), ...END];
    expect(partsOf(140_010, messages)).toEqual(EXPECTED);
  });

  test('from 15 on: one copy with messages of kinds', () => {
    const one = copy(
      'n16384.tar\0/srv/fast\0',
      'dfast',
      'nbase.tar\0\0',
      'dbase',
      'p\0\0\0\0\0\0\0\0',
      'm',
      'dmanifest',
    );
    expect(partsOf(150_000, [...SHARED, ...one, ...END])).toEqual(EXPECTED);
  });

  test('an archive of an unknown name is refused', () => {
    expect(() => partsOf(150_000, [...SHARED, ...copy('n../x.tar\0\0')])).toThrow(
      expect.objectContaining({ code: 'postgres/protocol-broken' }),
    );
  });
});

test('the command is in the words of each version', () => {
  const options = {
    label: "it's",
    checkpoint: 'fast',
    maxRateBytes: 1e6,
    verifyChecksums: true,
  } as const;
  expect(baseBackupCommand(140_010, options)).toBe(
    "BASE_BACKUP LABEL 'it''s' FAST WAL NOWAIT TABLESPACE_MAP MAX_RATE 976 MANIFEST 'yes' MANIFEST_CHECKSUMS 'CRC32C'",
  );
  expect(baseBackupCommand(150_000, options)).toBe(
    "BASE_BACKUP (LABEL 'it''s', CHECKPOINT 'fast', WAL true, WAIT false, TABLESPACE_MAP true, MAX_RATE 976, MANIFEST 'yes', MANIFEST_CHECKSUMS 'CRC32C', VERIFY_CHECKSUMS true)",
  );
});
