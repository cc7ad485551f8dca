import { expect, test } from 'vitest';
import type { Proof } from '#repository';
import { type ProofKnowledge, proofStatusOf } from './proof-status.ts';

const HOUR_MS = 3_600_000;
const NOW_MS = Date.UTC(2026, 10, 21, 12);

const record = (verdict: Proof['verdict']): Partial<Proof> => ({
  verdict,
  instantMs: NOW_MS - 2 * HOUR_MS,
  checks: [
    { name: 'orphans', verdict: 'pass', what: 'none', tookMs: 1 },
    { name: 'pages of orders', verdict, what: 'base/5/1259: block 3 damaged', tookMs: 1 },
  ],
});
const status = (known: Partial<ProofKnowledge>) =>
  proofStatusOf({
    ...{ last: undefined, passed: undefined, firstPointMs: NOW_MS - HOUR_MS },
    ...{ periodMs: 24 * HOUR_MS, isOff: false, waitsFor: undefined, running: undefined },
    nowMs: NOW_MS,
    ...known,
  });

test('no proof is unknown, and loud only when one is overdue', () => {
  expect(status({})).toMatchObject({ verdict: 'unknown', findings: [] });
  expect(status({ firstPointMs: undefined }).findings).toEqual([]);
  const overdue = { firstPointMs: NOW_MS - 25 * HOUR_MS, waitsFor: 'an idle host' };
  expect(status(overdue).findings).toEqual([
    'nothing was proven for 1d 1h (objective 1d); it waits for an idle host',
  ]);
  expect(status({ ...overdue, isOff: true })).toMatchObject({
    findings: [],
    waitsFor: 'somebody: holdfast.yaml says proofs: none',
  });
});

test('the last proof is loud where it failed or could not be made, by the check that says so', () => {
  const passed = { endedAtMs: NOW_MS - HOUR_MS, instantMs: NOW_MS - 2 * HOUR_MS };
  const good = status({ last: { endedAtMs: NOW_MS - HOUR_MS, record: record('pass') }, passed });
  expect(good).toMatchObject({ verdict: 'pass', provenAtMs: NOW_MS - HOUR_MS, findings: [] });
  const failed = status({ last: { endedAtMs: NOW_MS, record: record('fail') }, passed });
  expect(failed).toMatchObject({ verdict: 'fail', failedBy: 'pages of orders' });
  expect(failed.findings).toEqual([
    'the proof of 2026-11-21T10:00:00.000Z failed: pages of orders: base/5/1259: block 3 damaged',
  ]);
  const unknown = status({ last: { endedAtMs: NOW_MS, record: record('unknown') }, passed });
  expect(unknown.findings[0]).toContain('could not be made: pages of orders');
});
