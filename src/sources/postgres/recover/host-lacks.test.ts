import { expect, test } from 'vitest';
import type { CaptureOutcome } from '../../source.ts';
import { hostLacks } from './host-lacks.ts';

const baseOf = (majorVersion: number, extensions: unknown) =>
  ({
    facts: {
      ...{ serverVersion: majorVersion * 10_000, majorVersion, systemIdentifier: '1' },
      ...{ walSegmentSizeBytes: 2 ** 24, blockSizeBytes: 8192, segmentFileBytes: 2 ** 30 },
      ...{ chunkSizeBytes: 2 ** 19, tablespaces: [], settings: {}, configFiles: [] },
      ...{ needs: { extensions }, fromStandby: false, access: { user: 'u', database: 'd' } },
    },
  }) as unknown as CaptureOutcome;

const extensions = [
  { name: 'plpgsql', version: '1.0' },
  { name: 'amcheck', version: '1.3' },
  { name: 'shapes', version: '3.4.2' },
];

test.each([15, 18])(
  'an extension that Postgres %i lacks here is named, with what to look for',
  async (major) => {
    expect(await hostLacks(baseOf(major, extensions))).toEqual([
      `the extension shapes 3.4.2 isn't installed on this host: what uses it fails in a copy (Debian: apt-cache search postgresql-${major} shapes)`,
    ]);
    expect(await hostLacks(baseOf(major, extensions.slice(0, 2)))).toEqual([]);
    expect(await hostLacks(baseOf(major, undefined))).toEqual([]);
  },
);

test('binaries of a major version that are missing are named by their package', async () => {
  const [said] = await hostLacks(baseOf(12, extensions));
  expect(said).toContain('no binaries of Postgres 12');
  expect(said).toContain('apt-get install postgresql-12');
});
