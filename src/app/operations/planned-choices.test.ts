import { expect, it } from 'vitest';
import type { Clock } from '#base';
import type { Choice } from '#recovery';
import type { EnvironmentProtection } from '../protection/environment-protection.ts';
import { PlannedChoices } from './planned-choices.ts';

const protectionOf = (name: string) => ({ environment: { name } }) as EnvironmentProtection;
const choiceOf = (title: string) => ({ title }) as Choice;

let nowMs = 0;
const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };

it('keeps what was shown for ten minutes, for that declaration of the environment alone', () => {
  const planned = new PlannedChoices(clock);
  const shop = protectionOf('shop');
  const id = planned.add(shop, choiceOf('before deploy'));
  expect(planned.find(shop, id)?.title).toBe('before deploy');
  expect(planned.find(protectionOf('shop'), id)).toBeUndefined();
  expect(planned.find(shop, 'plan-other')).toBeUndefined();
  nowMs += 10 * 60_000;
  expect(planned.find(shop, id)?.title).toBe('before deploy');
  nowMs += 1;
  expect(planned.find(shop, id)).toBeUndefined();
});

it('keeps the newest sixteen', () => {
  const planned = new PlannedChoices(clock);
  const shop = protectionOf('shop');
  const ids = Array.from({ length: 20 }, (_, at) => planned.add(shop, choiceOf(`${at}`)));
  expect(ids.map((id) => planned.find(shop, id)?.title).filter(Boolean)).toEqual(
    Array.from({ length: 16 }, (_, at) => `${at + 4}`),
  );
});
