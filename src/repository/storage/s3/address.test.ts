import { describe, expect, test } from 'vitest';
import { parseS3Address } from './address.ts';

describe('addresses of buckets', () => {
  test.each([
    ['s3:http://127.0.0.1:9000/backups', 'http://127.0.0.1:9000', 'backups', ''],
    ['s3:https://minio.example/backups/of/shop/', 'https://minio.example', 'backups', 'of/shop/'],
    ['s3:minio.example:9000/backups/of', 'https://minio.example:9000', 'backups', 'of/'],
    ['s3://minio.example/backups', 'https://minio.example', 'backups', ''],
    ['S3:s3.amazonaws.com/backups', 'https://s3.amazonaws.com', 'backups', ''],
  ])('%s', (text, endpoint, bucket, prefix) => {
    expect(parseS3Address(text)).toMatchObject({ endpoint, bucket, prefix });
  });

  test('know Amazon, and the region where the host names it', () => {
    const regionOf = (host: string) => {
      const { isAws, region } = parseS3Address(`s3:https://${host}/backups`);
      return isAws ? (region ?? 'any') : 'none';
    };
    expect(regionOf('s3.amazonaws.com')).toBe('any');
    expect(regionOf('s3.eu-central-1.amazonaws.com')).toBe('eu-central-1');
    expect(regionOf('s3-us-gov-west-1.amazonaws.com')).toBe('us-gov-west-1');
    expect(regionOf('s3.dualstack.eu-west-1.amazonaws.com')).toBe('eu-west-1');
    expect(regionOf('s3.amazonaws.com.example.org')).toBe('none');
  });

  test.each([
    's3:',
    '/srv/backup',
    's3:https://host',
    's3:https://host/',
    's3:host/../etc',
    's3:host/bucket/../other',
    's3:host/bucket/%2e%2e/other',
    's3:host/bucket/%00',
    's3:host/bucket/%',
    's3:https://host/bucket?region=x',
    's3:https://host/bu cket',
    's3:https://[/bucket',
  ])('refuses %s', (text) => {
    expect(() => parseS3Address(text)).toThrow(
      expect.objectContaining({ code: 's3/address-invalid', kind: 'invalid' }),
    );
  });

  test('never repeats a password', () => {
    try {
      parseS3Address('s3:https://user:hunter2@host/bucket');
      expect.unreachable();
    } catch (error) {
      expect(JSON.stringify(error) + String(error)).not.toContain('hunter2');
      expect(error).toMatchObject({ code: 's3/address-invalid' });
    }
  });
});
