import { describe, expect, test } from 'vitest';
import { createPartRuns, type Decision, type PartRun } from './part-runs.ts';

const WHAT = { environment: 'shop', stage: 'production', kind: 'tables' } as const;
const NEVER = new AbortController().signal;
const SOON_MS = 10_000;

/** Shows a preview, and notes what was decided. */
const asking = (decisions: Decision[]) => async (run: PartRun) => {
  const decision = await run.decided({ tables: [] });
  decisions.push(decision);
  return decision === 'apply' ? ('done' as const) : ('discarded' as const);
};

describe('parts that are looked up for somebody', () => {
  test('change nothing before they are applied, and that once', async () => {
    const runs = createPartRuns();
    const decisions: Decision[] = [];
    const { id } = runs.begin(WHAT, NEVER, asking(decisions));
    expect(await runs.wait(id, SOON_MS)).toMatchObject({ state: 'previewed', tables: [] });
    expect(decisions).toEqual([]);
    expect(await runs.decide(id, 'apply')).toMatchObject({ state: 'done' });
    await expect(runs.decide(id, 'apply')).rejects.toMatchObject({
      code: 'app/part-not-previewed',
    });
    expect(decisions).toEqual(['apply']);
  });

  test('are discarded by whoever asked, by time, and with the server', async () => {
    const decisions: Decision[] = [];
    const asked = createPartRuns();
    const one = asked.begin(WHAT, NEVER, asking(decisions));
    await asked.wait(one.id, SOON_MS);
    expect(await asked.decide(one.id, 'discard')).toMatchObject({ state: 'discarded' });

    const short = createPartRuns(1);
    const two = short.begin(WHAT, NEVER, asking(decisions));
    await short.wait(two.id, SOON_MS);
    expect(
      await short.decide(two.id, 'discard').catch(() => short.wait(two.id, SOON_MS)),
    ).toMatchObject({ state: 'discarded' });

    const stopping = new AbortController();
    const three = asked.begin(WHAT, stopping.signal, asking(decisions));
    await asked.wait(three.id, SOON_MS);
    stopping.abort(new Error('stopped'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(await asked.wait(three.id, SOON_MS)).toMatchObject({ state: 'discarded' });
    expect(decisions).toEqual(['discard', 'discard', 'discard']);
  });

  test('that are given up while they are made are discarded; what fails says why', async () => {
    const runs = createPartRuns();
    const { id } = runs.begin(
      WHAT,
      NEVER,
      ({ signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        }),
    );
    expect(await runs.decide(id, 'discard')).toMatchObject({ state: 'discarded' });
    const broken = runs.begin(WHAT, NEVER, async () => {
      throw new Error('it broke');
    });
    expect(await runs.wait(broken.id, SOON_MS)).toMatchObject({
      state: 'failed',
      failure: { message: 'it broke' },
    });
  });

  test('are few at once, and unknown ones are refused', async () => {
    const runs = createPartRuns();
    for (let at = 0; at < 4; at += 1) runs.begin(WHAT, NEVER, asking([]));
    expect(() => runs.begin(WHAT, NEVER, asking([]))).toThrow('4 parts of stores');
    await expect(runs.wait('p0', 0)).rejects.toMatchObject({ code: 'app/part-not-found' });
  });
});
