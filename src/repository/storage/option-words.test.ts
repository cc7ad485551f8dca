import { describe, expect, test } from 'vitest';
import { storageOptionsOf } from './option-words.ts';

describe('options of storages in words', () => {
  test('give what they say, the last one of a name', () => {
    expect(storageOptionsOf([])).toEqual({});
    expect(
      storageOptionsOf([
        's3.region=eu-west-1',
        's3.region=eu-north-1',
        's3.addressing=virtual',
        's3.ca=/etc/a=b.pem',
        's3.storage-class=STANDARD_IA',
        's3.connections=16',
        's3.lock=compliance:30d',
      ]),
    ).toEqual({
      s3: {
        region: 'eu-north-1',
        addressing: 'virtual',
        caFile: '/etc/a=b.pem',
        storageClass: 'STANDARD_IA',
        connections: 16,
        lock: { mode: 'compliance', days: 30 },
      },
    });
  });

  test.each([
    's3.regoin=eu',
    'region=eu',
    '',
    's3.region',
    's3.region=',
    's3.addressing=both',
    's3.connections=0',
    's3.connections=many',
    's3.lock=30d',
    's3.lock=compliance',
    's3.lock=compliance:30',
    's3.lock=eternal:30d',
    's3.lock=compliance:0d',
  ])('refuse "%s"', (word) => {
    expect(() => storageOptionsOf([word])).toThrow(
      expect.objectContaining({ code: 's3/option-invalid', kind: 'invalid' }),
    );
  });
});
