/**
 * Recovery-kill: kill -9 of whoever makes, changes or removes a recovery, of the process that serves its mounts and of its
 * Postgres, at named places and at instants drawn over the whole of what is done; and of merges of rows and their undo.
 * After each the next command goes on or clears away; production is the old or the new one, whole; nothing is left.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { openProtectedSite } from '../end-to-end/site/protected-site.ts';
import { type Campaign, type CampaignOptions, type CampaignReport, Figures } from './campaign.ts';
import { Chance } from './chance.ts';
import { RecoveryLife } from './recovery-kill/life.ts';
import { killMerges } from './recovery-kill/merges.ts';
import type { Trials } from './recovery-kill/trials.ts';

const ROWS = 20_000;
/** Lives and merges take turns: one merge with its undo for so many lives. */
const LIVES_PER_MERGE = 2;

export const recoveryKill: Campaign = {
  summary:
    'kill -9 in the life of recoveries: maker, mounts, Postgres; merges (--only life, merge)',
  count: 10,
  run: runRecoveryKill,
};

/** `count`: lives of recoveries, of five kills each. */
export async function runRecoveryKill(options: CampaignOptions): Promise<CampaignReport> {
  const { count, seed, only, note } = options;
  const figures = new Figures();
  const failures: string[] = [];
  const chance = new Chance(seed);
  const site = await openProtectedSite(18);
  try {
    await site.server.sql(`insert into numbers select generate_series(1, ${ROWS})`);
    const uploaded = randomBytes(2 ** 20);
    await fs.writeFile(path.join(site.uploads, 'one.bin'), uploaded);
    await site.captureFiles();
    await site.shipped();
    await site.leave();
    const root = path.join(site.folder, 'recoveries');
    const fail = (what: string) => {
      failures.push(what);
      note(`✗ ${what}`);
    };
    const trials: Trials = { site, root, rows: ROWS, uploaded, chance, figures, fail };
    for (let number = 0; number < count; number += 1) {
      if (only !== 'merge') await new RecoveryLife(trials, `life ${number}`).run();
      if (only === 'merge' || (only === undefined && number % LIVES_PER_MERGE === 0))
        await killMerges(trials, `merge ${number}`);
      note(`${number + 1} of ${count}, ${figures.get('kills')} kills, ${failures.length} failures`);
    }
  } finally {
    await site.remove();
  }
  return { figures: figures.toJSON(), failures };
}
