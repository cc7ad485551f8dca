import { expect, test } from 'vitest';
import { leadsToSame } from './addresses.ts';

test('the same server, however it is written', () => {
  const production = 'postgresql://app:secret@localhost:5432/shop';
  for (const same of [
    'postgres://other@127.0.0.1/else',
    'postgresql://[::1]:5432/shop',
    'postgresql:///shop?host=/run/postgresql',
    'postgresql:///shop',
    'postgresql://far:1,localhost:5432/shop',
    'host=localhost dbname=shop',
    'POSTGRESQL://LOCALHOST/shop',
  ]) {
    expect(leadsToSame(same, production), same).toBe(true);
  }
  for (const other of [
    'postgresql://localhost:5433/shop',
    'postgresql://db.example/shop',
    'postgresql:///shop?host=/run/postgresql&port=5433',
    'host=localhost port=5433',
    'shop',
    '',
  ]) {
    expect(leadsToSame(other, production), other).toBe(false);
  }
});

test('the same folder, or one within it', () => {
  expect(leadsToSame('/srv/media/', '/srv/media')).toBe(true);
  expect(leadsToSame('/srv/media/a', '/srv/media')).toBe(true);
  expect(leadsToSame('/srv/x/../media', '/srv/media')).toBe(true);
  expect(leadsToSame('/srv/media-2', '/srv/media')).toBe(false);
  expect(leadsToSame('/srv', '/srv/media')).toBe(false);
});
