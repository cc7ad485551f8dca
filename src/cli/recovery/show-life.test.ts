import { expect, test } from 'vitest';
import type { ShownRecovery } from './report.ts';
import { lifeLines, lifeText } from './show-life.ts';

const recovery = (more: Partial<ShownRecovery>): ShownRecovery => ({
  ...{ id: 'r19kq', environment: 'shop', stage: 'production', status: 'ready', inPlace: false },
  ...{ createdAtMs: 0, instantMs: 0, title: 'latest', stores: [], services: [], checks: [] },
  ...{ phases: [], bytesRead: 0, ...more },
});

test('what was cut says so, and what goes on with it', () => {
  const cut = recovery({ status: 'undoing', isCut: true });
  expect(lifeText(cut)).toBe('undoing, cut off');
  expect(lifeLines(cut).join('\n')).toContain('holdfast recovery undo r19kq goes on');
});

test('what failed says why, and both ways out of a switch', () => {
  const why = 'orders is still in use';
  const said = lifeLines(recovery({ status: 'promoting', isCut: true, error: why })).join('\n');
  expect(said).toContain(why);
  expect(said).toMatch(/promote r19kq goes on, .*undo r19kq takes it back/);
  expect(lifeLines(recovery({ status: 'failed', error: why }))).toEqual(['', `! ${why}`]);
});

test('what went wrong on its mounts is told, and nothing where nothing did', () => {
  expect(lifeLines(recovery({ troubles: ['a blob is lost'] }))).toEqual(['! a blob is lost']);
  expect(lifeLines(recovery({}))).toEqual([]);
});
