import { expect, test } from 'vitest';
import { postgresSchema } from '../config.ts';
import { synchronousFindings } from './synchronous.ts';

const GOOD = { synchronous_standby_names: 'ANY 1 (other, holdfast)', synchronous_commit: 'on' };

function codesOf(settings: Record<string, string>, host = 'db.example', rpoMs = 0): string[] {
  const own = postgresSchema.parse({ url: `postgresql://u@${host}/x` });
  const store = { name: 'orders', environment: 'shop', stage: 'production', rpoMs, own };
  const found = synchronousFindings(
    { ...store, protect: { kind: 'continuous' } },
    { settings: new Map(Object.entries({ ...GOOD, ...settings })), upstream: undefined },
  );
  return found.map(({ severity, code }) => `${severity} ${code}`);
}

test('rpo: 0 needs another machine and commits that wait', () => {
  expect(codesOf({})).toEqual([]);
  expect(codesOf({}, 'localhost')).toEqual(['refuse spool-beside-primary']);
  expect(codesOf({}, '127.0.0.1')).toEqual(['refuse spool-beside-primary']);
  expect(codesOf({ synchronous_standby_names: '' })).toEqual(['warn not-synchronous']);
  expect(codesOf({ synchronous_standby_names: 'holdfast2' })).toEqual(['warn not-synchronous']);
  expect(codesOf({ synchronous_standby_names: '*' })).toEqual([]);
  expect(codesOf({ synchronous_commit: 'local' })).toEqual(['warn commits-do-not-wait']);
  expect(codesOf({ synchronous_commit: 'remote_apply' })).toEqual(['refuse waits-for-apply']);
});

test('any other objective needs neither', () => {
  const settings = { synchronous_standby_names: '', synchronous_commit: 'remote_apply' };
  expect(codesOf(settings, 'localhost', 1)).toEqual([]);
});
