/**
 * Disk full: each part that writes, with ever more room on its disk until it has enough, so that each write in turn
 * finds none. It must say where room is missing; nothing that was acknowledged is lost; with room, it goes on.
 */
import { type Campaign, type CampaignOptions, type CampaignReport, Figures } from './campaign.ts';
import { Chance } from './chance.ts';
import { fullCache } from './disk-full/cache.ts';
import { fullMount } from './disk-full/mount.ts';
import { fullRepository } from './disk-full/repository.ts';
import { fullSpool } from './disk-full/spool.ts';
import { fullTarget } from './disk-full/target.ts';
import { SmallDisk } from './small-disk.ts';

export type FullDiskTrials = {
  disk: SmallDisk;
  chance: Chance;
  figures: Figures;
  /** How many sizes of room. */
  count: number;
  /** Says what must never be. */
  fail: (what: string) => void;
};

const parts: Readonly<Record<string, (trials: FullDiskTrials) => Promise<void>>> = {
  repository: fullRepository,
  spool: fullSpool,
  cache: fullCache,
  target: fullTarget,
  mount: fullMount,
};

export const diskFull: Campaign = {
  summary: 'no room for each write in turn: repository, spool, cache, target, mount (--only one)',
  count: 100,
  run: runDiskFull,
};

export async function runDiskFull(options: CampaignOptions): Promise<CampaignReport> {
  const { count, seed, only, note } = options;
  const figures = new Figures();
  const failures: string[] = [];
  for (const [part, run] of Object.entries(parts)) {
    if (only !== undefined && only !== part) continue;
    const disk = new SmallDisk(64);
    try {
      const fail = (what: string) => failures.push(`${part}: ${what}`);
      await run({ disk, chance: new Chance(seed), figures, count, fail });
      note(`${part} done, ${failures.length} failures`);
    } catch (error) {
      const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
      failures.push(`${part}: ${why}`);
    } finally {
      disk.giveBack();
      disk.close();
    }
  }
  return { figures: figures.toJSON(), failures };
}
