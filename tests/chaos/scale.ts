/** What Holdfast takes of time and memory where there is very much of something. Figures, nothing that must hold. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { formatDuration, formatSize, Secret } from '#base';
import { createRepository, openStorage, openWriter } from '#repository';
import { measure } from '../../bench/measure.ts';
import { holdfastProgram } from '../../bench/peers.ts';
import type { Campaign, CampaignOptions, CampaignReport } from './campaign.ts';

const PASSWORD = 'at scale';
const FILES_PER_FOLDER = 40;
const DEPTH = 50;
const TIB = 2 ** 40;

export const scale: Campaign = {
  summary: 'a million files wide and deep, many snapshots, a file of 1 TiB (count: files)',
  count: 1_000_000,
  run: runScale,
};

type Site = { folder: string; input: string; repository: string };
type Part = (site: Site, options: CampaignOptions, report: CampaignReport) => Promise<void>;

const parts: Readonly<Record<string, Part>> = {
  wide: (site, options, report) =>
    backupAndRestore('wide', site, report, () => makeWide(site.input, options.count)),
  deep: (site, options, report) =>
    backupAndRestore('deep', site, report, () => makeDeep(site.input, options.count)),
  sparse: (site, _options, report) =>
    backupAndRestore('sparse', site, report, () => {
      fs.closeSync(fs.openSync(path.join(site.input, 'huge'), 'w'));
      fs.truncateSync(path.join(site.input, 'huge'), TIB);
    }),
  snapshots: (site, options, report) => listSnapshots(site, Math.ceil(options.count / 10), report),
};

async function runScale(options: CampaignOptions): Promise<CampaignReport> {
  const report: CampaignReport = { figures: {}, failures: [] };
  for (const [name, part] of Object.entries(parts)) {
    if (options.only !== undefined && options.only !== name) continue;
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-scale-'));
    const site = {
      folder,
      input: path.join(folder, 'input'),
      repository: path.join(folder, 'repository'),
    };
    fs.mkdirSync(site.input);
    try {
      options.note(`${name}…`);
      await part(site, options, report);
    } catch (error) {
      report.failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  }
  return report;
}

function makeWide(folder: string, files: number): void {
  for (let at = 0; at < files; at += 1) fs.writeFileSync(`${folder}/file-${at}`, `content ${at}\n`);
}

/** Chains of folders, each with some files and the next one. */
function makeDeep(folder: string, files: number): void {
  for (let made = 0, chain = 0; made < files; chain += 1) {
    let at = `${folder}/chain-${chain}`;
    for (let depth = 0; depth < DEPTH && made < files; depth += 1) {
      fs.mkdirSync(at);
      for (let file = 0; file < FILES_PER_FOLDER && made < files; file += 1, made += 1) {
        fs.writeFileSync(`${at}/file-${file}`, `content ${made}\n`);
      }
      at += '/below';
    }
  }
}

async function backupAndRestore(
  name: string,
  site: Site,
  report: CampaignReport,
  make: () => void,
): Promise<void> {
  make();
  await makeRepository(site);
  const target = path.join(site.folder, 'restored');
  await note(report, `${name}: first backup`, site, ['backup', site.input]);
  await note(report, `${name}: unchanged backup`, site, ['backup', site.input]);
  await note(report, `${name}: ls`, site, ['ls', 'latest']);
  await note(report, `${name}: check`, site, ['check']);
  await note(report, `${name}: restore`, site, ['restore', 'latest', '--target', target]);
}

async function makeRepository({ repository }: Site) {
  const storage = await openStorage(repository);
  const password = new Secret(PASSWORD);
  const made = await createRepository({ storage, password, scrypt: { N: 1024, r: 8, p: 1 } });
  await made.close();
}

async function listSnapshots(site: Site, count: number, report: CampaignReport): Promise<void> {
  await makeRepository(site);
  const { openRepository } = await import('#repository');
  const storage = await openStorage(site.repository);
  const repository = await openRepository({ storage, password: new Secret(PASSWORD) });
  const writer = await openWriter(repository, { workers: 1 });
  const tree = await writer.saveTree([Buffer.from('{"nodes":[]}\n')]);
  await writer.finish();
  for (let at = 0; at < count; at += 1) {
    const time = 1_700_000_000_000 + at * 60_000;
    await repository.snapshots.save({ time, tree, paths: ['/srv/media'], tags: ['nightly'] });
  }
  await repository.close();
  await note(report, `${count} snapshots listed`, site, ['snapshots']);
  await note(report, `${count} snapshots judged`, site, ['forget', '--keep-daily', '7', '-n']);
}

async function note(report: CampaignReport, what: string, site: Site, words: readonly string[]) {
  const env = { HOLDFAST_REPOSITORY: site.repository, HOLDFAST_PASSWORD: PASSWORD };
  const { wallMs, cpuMs, peakBytes } = await measure([holdfastProgram, 'repo', ...words], env);
  report.figures[what] =
    `${formatDuration(wallMs)}, ${formatDuration(cpuMs)} of processor, ${formatSize(peakBytes)}`;
}
