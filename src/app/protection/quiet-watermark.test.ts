import { expect, test } from 'vitest';
import { Secret } from '#base';
import { createRepository, listWatermarks, openStorage } from '#repository';
import { QuietWatermark } from './quiet-watermark.ts';

test('an idle folder writes one watermark an hour, and only the newest is kept', async () => {
  const storage = await openStorage('memory:quiet-watermark');
  const repository = await createRepository({ storage, password: new Secret('secret') });
  const address = { environment: 'shop', stage: 'production', store: 'uploads' };
  const noted = async () => (await listWatermarks(repository, address)).map(({ atMs }) => atMs);
  const hourMs = 3_600_000;
  const watermark = new QuietWatermark(repository, address);
  const capturedAtMs = 1_000 * hourMs;
  for (let minute = 0; minute <= 150; minute += 1) {
    await watermark.noteIfDue(capturedAtMs + minute * 60_000, capturedAtMs);
  }
  expect(await noted()).toEqual([capturedAtMs + 2 * hourMs]);
  // After a restart the old one is found and replaced, and never by an earlier one.
  const restarted = new QuietWatermark(repository, address);
  await restarted.note(capturedAtMs + hourMs);
  expect(await noted()).toEqual([capturedAtMs + 2 * hourMs]);
  await restarted.note(capturedAtMs + 3 * hourMs);
  expect(await noted()).toEqual([capturedAtMs + 3 * hourMs]);
  await repository.close();
});
