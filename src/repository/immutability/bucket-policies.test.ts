import { describe, expect, test } from 'vitest';
import { bucketPolicies, type PolicyDocument } from './bucket-policies.ts';

const lock = { mode: 'compliance', days: 30 } as const;
const policies = bucketPolicies('s3:https://minio.example/backups/shop', {
  lock,
  pieceFolders: ['holdfast/journal/shop/production/db/pieces/'],
});

/** As the service judges: what is denied is denied, what isn't allowed isn't either. */
function may({ Statement }: PolicyDocument, action: string, resource: string): boolean {
  const covers = (pattern: string) =>
    pattern.endsWith('*') ? resource.startsWith(pattern.slice(0, -1)) : resource === pattern;
  const hits = Statement.filter(
    ({ Action, Resource }) => Action.includes(action) && Resource.some(covers),
  );
  return hits.length > 0 && hits.every(({ Effect }) => Effect === 'Allow');
}

const at = (name: string) => `arn:aws:s3:::backups/shop/${name}`;

describe('rights that only add', () => {
  test('read and write everything, remove locks alone, and no version of anything', () => {
    const { appendOnly } = policies;
    for (const name of ['config', 'data/ab/abc', 'locks/x', 'holdfast/points/p']) {
      expect(may(appendOnly, 's3:GetObject', at(name))).toBe(true);
      expect(may(appendOnly, 's3:PutObject', at(name))).toBe(true);
      expect(may(appendOnly, 's3:DeleteObject', at(name))).toBe(name.startsWith('locks/'));
      expect(may(appendOnly, 's3:DeleteObjectVersion', at(name))).toBe(false);
      expect(may(appendOnly, 's3:BypassGovernanceRetention', at(name))).toBe(false);
    }
    expect(may(appendOnly, 's3:PutObject', 'arn:aws:s3:::backups/other/config')).toBe(false);
    expect(may(appendOnly, 's3:PutBucketVersioning', 'arn:aws:s3:::backups')).toBe(false);
  });

  test.each([
    [30, 1, '31'],
    [1, 1, '3'],
    [2, 7, '15'],
  ])('lock for no longer than is needed: %i days, extended every %i', (days, every, most) => {
    const { appendOnly } = bucketPolicies('s3:minio.example/backups', {
      lock: { mode: 'compliance', days },
      everyMs: every * 86_400_000,
    });
    const rule = appendOnly.Statement.find(({ Sid }) => Sid === 'Lock');
    expect(rule?.Condition).toEqual({
      NumericLessThanEquals: { 's3:object-lock-remaining-retention-days': most },
    });
  });

  test('lock nothing where nothing is locked', () => {
    const without = bucketPolicies('s3:minio.example/backups');
    expect(without.appendOnly.Statement.map(({ Sid }) => Sid)).not.toContain('Lock');
  });
});

test('the maintenance removes files, and no version either', () => {
  expect(may(policies.maintenance, 's3:DeleteObject', at('data/ab/abc'))).toBe(true);
  expect(may(policies.maintenance, 's3:DeleteObjectVersion', at('data/ab/abc'))).toBe(false);
});

test('the rules keep old versions as long as locks, and clear pieces of journals away', () => {
  expect(policies.lifecycle.Rules).toMatchObject([
    { Filter: { Prefix: 'shop/' }, NoncurrentVersionExpiration: { NoncurrentDays: 30 } },
    {
      Filter: { Prefix: 'shop/holdfast/journal/shop/production/db/pieces/' },
      Expiration: { Days: 7 },
    },
  ]);
});

test('the commands name the server, and none at Amazon', () => {
  expect(policies.commands[0]).toBe(
    'aws s3api put-bucket-versioning --endpoint-url https://minio.example --bucket backups --versioning-configuration Status=Enabled',
  );
  const amazon = bucketPolicies('s3:s3.amazonaws.com/backups').commands.join('\n');
  expect(amazon).not.toContain('--endpoint-url');
});
