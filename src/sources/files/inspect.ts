/** What `plan` says of a folder. Looks around within a bound of time and writes nothing. */
import { promises as fs } from 'node:fs';
import { formatCount, formatDuration, systemClock, systemCode } from '#base';
import type { Inspection, InspectionFinding, SourceContext, StoreSettings } from '../source.ts';
import type { FilesSettings } from './config.ts';
import { compileExclusion } from './exclusion.ts';
import { describeFailure, walkTree } from './walk.ts';

const SURVEY_MS = 1_500;
const WATCH_LIMIT_FILE = '/proc/sys/fs/inotify/max_user_watches';

// Linux, magic.h: file systems whose files change without this kernel seeing it.
const REMOTE_FILE_SYSTEMS: Record<number, string> = {
  26985: 'NFS',
  20859: 'SMB',
  4266872130: 'SMB',
  4283649346: 'SMB',
  1702057286: 'FUSE',
  16914839: '9P',
  12805120: 'Ceph',
};

type Survey = {
  files: number;
  directories: number;
  sizeBytes: number;
  unreadable: string[];
  /** False where the time was up: the counts are lower bounds. */
  complete: boolean;
};

export async function inspectFiles(
  store: StoreSettings<FilesSettings>,
  context: SourceContext,
): Promise<Inspection> {
  const { path } = store.own;
  const method = methodOf(store);
  const blocker = await findBlocker(path);
  if (blocker) return { method, reachable: false, findings: [blocker], facts: { path } };
  const survey = await surveyFolder(store, context.signal);
  const findings: InspectionFinding[] = [];
  if (!store.own.hooks?.path) findings.push(notPointConsistent(path));
  if (survey.unreadable.length > 0) findings.push(unreadableEntries(path, survey));
  if (store.protect.kind === 'continuous') {
    findings.push(...(await watchFindings(path, survey.directories)));
  }
  const { files, directories, sizeBytes, complete } = survey;
  const facts = { path, files, directories, sizeIsLowerBound: !complete };
  return { method, reachable: true, findings, sizeBytes, facts };
}

function methodOf(store: StoreSettings<FilesSettings>): string {
  const from = store.own.hooks?.path ? 'folder by volume snapshot' : 'folder';
  return store.protect.kind === 'continuous'
    ? `${from}, watched`
    : `${from}, every ${formatDuration(store.protect.everyMs)}`;
}

async function findBlocker(path: string): Promise<InspectionFinding | undefined> {
  try {
    if (!(await fs.stat(path)).isDirectory()) {
      return { severity: 'refuse', code: 'not-a-folder', what: `${path} is not a folder` };
    }
    await fs.access(path, fs.constants.R_OK | fs.constants.X_OK);
    return undefined;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') {
      const what = `there is no folder ${path}`;
      return { severity: 'refuse', code: 'folder-missing', what, mend: `mkdir -p ${quoted(path)}` };
    }
    const what = `${path} can't be read: ${describeFailure(error)}`;
    return { severity: 'refuse', code: 'folder-unreadable', what, mend: grantReading(path) };
  }
}

async function surveyFolder(
  store: StoreSettings<FilesSettings>,
  signal: AbortSignal,
): Promise<Survey> {
  const { path, exclude, oneFileSystem } = store.own;
  const survey: Survey = {
    files: 0,
    directories: 0,
    sizeBytes: 0,
    unreadable: [],
    complete: true,
  };
  const root = await fs.realpath(path, { encoding: 'buffer' });
  const untilMs = systemClock.monotonicMs() + SURVEY_MS;
  const exclusion = compileExclusion(exclude);
  for await (const event of walkTree(root, { signal, exclusion, oneFileSystem })) {
    if (event.kind === 'problem') survey.unreadable.push(event.path.toString());
    if (event.kind === 'entry') {
      if (event.metadata.kind === 'dir') survey.directories += 1;
      else survey.files += 1;
      survey.sizeBytes += Number(event.metadata.sizeBytes);
    }
    if (systemClock.monotonicMs() > untilMs) {
      survey.complete = false;
      break;
    }
  }
  return survey;
}

function notPointConsistent(path: string): InspectionFinding {
  return {
    severity: 'note',
    code: 'not-point-consistent',
    what: `${path} is read file by file while it is in use: not point-consistent`,
    mend: 'hooks: {before: <make and mount a snapshot of the volume>, after: <remove it>, path: <where it is mounted>}',
  };
}

function unreadableEntries(path: string, { unreadable }: Survey): InspectionFinding {
  const count = formatCount(unreadable.length);
  return {
    severity: 'warn',
    code: 'unreadable-entries',
    what: `${count} ${unreadable.length === 1 ? 'entry' : 'entries'} can't be read and would be missing, for example ${unreadable[0]}`,
    mend: grantReading(path),
  };
}

async function watchFindings(path: string, directories: number): Promise<InspectionFinding[]> {
  const findings: InspectionFinding[] = [];
  const { type } = await fs.statfs(path);
  const remote = REMOTE_FILE_SYSTEMS[type];
  if (remote) {
    findings.push({
      severity: 'warn',
      code: 'watch-remote',
      what: `${path} lies on ${remote}: changes made by other hosts are found only by the hourly rescan`,
      mend: 'protect: {every: 5m}',
    });
  }
  const limit = Number(await fs.readFile(WATCH_LIMIT_FILE, 'latin1').catch(() => 'NaN'));
  if (directories > limit * 0.8) {
    findings.push({
      severity: 'warn',
      code: 'watch-limit',
      what: `${formatCount(directories)} folders to watch, and the kernel allows ${formatCount(limit)}`,
      mend: `sysctl -w fs.inotify.max_user_watches=${Math.max(limit, directories) * 2}`,
    });
  }
  return findings;
}

function grantReading(path: string): string {
  return `setfacl -R -m u:$(id -un):rX ${quoted(path)}`;
}

/** For a person to paste into a shell. */
function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
