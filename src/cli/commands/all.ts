/** Every command, one line each. What a command needs is imported when it runs, never here. */
import type { CommandSpec } from '../command.ts';
import { command as apply } from './apply.ts';
import { completionOf } from './completion.ts';
import { command as diff } from './diff.ts';
import { command as down } from './down.ts';
import { helpOf } from './help.ts';
import { command as init } from './init.ts';
import { command as mark } from './mark.ts';
import { command as plan } from './plan.ts';
import { command as points } from './points.ts';
import { command as protect } from './protect.ts';
import { command as prove } from './prove.ts';
import { command as rebuild } from './rebuild.ts';
import { command as recover } from './recover.ts';
import { command as recoveryHydrate } from './recovery-hydrate.ts';
import { command as recoveryList } from './recovery-list.ts';
import { command as recoveryOpen } from './recovery-open.ts';
import { command as recoveryPromote } from './recovery-promote.ts';
import { command as recoveryRemove } from './recovery-remove.ts';
import { command as recoveryResume } from './recovery-resume.ts';
import { command as recoveryUndo } from './recovery-undo.ts';
import { command as repoAdopt } from './repo-adopt.ts';
import { command as repoBackup } from './repo-backup.ts';
import { command as repoCheck } from './repo-check.ts';
import { command as repoCopy } from './repo-copy.ts';
import { command as repoCost } from './repo-cost.ts';
import { command as repoDiff } from './repo-diff.ts';
import { command as repoDump } from './repo-dump.ts';
import { command as repoExtendLocks } from './repo-extend-locks.ts';
import { command as repoFind } from './repo-find.ts';
import { command as repoForget } from './repo-forget.ts';
import { command as repoHold } from './repo-hold.ts';
import { command as repoInit } from './repo-init.ts';
import { command as repoKeys } from './repo-keys.ts';
import { command as repoLs } from './repo-ls.ts';
import { command as repoMount } from './repo-mount.ts';
import { command as repoParity } from './repo-parity.ts';
import { command as repoPolicy } from './repo-policy.ts';
import { command as repoPrune } from './repo-prune.ts';
import { command as repoRecoverVersions } from './repo-recover-versions.ts';
import { command as repoRelease } from './repo-release.ts';
import { command as repoRepairIndex } from './repo-repair-index.ts';
import { command as repoRepairPacks } from './repo-repair-packs.ts';
import { command as repoRepairSnapshots } from './repo-repair-snapshots.ts';
import { command as repoRestore } from './repo-restore.ts';
import { command as repoRewrite } from './repo-rewrite.ts';
import { command as repoSnapshots } from './repo-snapshots.ts';
import { command as repoStats } from './repo-stats.ts';
import { command as repoUnlock } from './repo-unlock.ts';
import { command as serve } from './serve.ts';
import { command as status } from './status.ts';
import { command as up } from './up.ts';
import { command as when } from './when.ts';

export const commands: readonly CommandSpec[] = [
  // One line for each command, by its words.
  init,
  plan,
  apply,
  up,
  down,
  status,
  points,
  protect,
  prove,
  mark,
  serve,
  recover,
  diff,
  when,
  recoveryHydrate,
  recoveryList,
  recoveryOpen,
  recoveryPromote,
  recoveryRemove,
  recoveryResume,
  recoveryUndo,
  rebuild,
  repoAdopt,
  repoBackup,
  repoCheck,
  repoCopy,
  repoCost,
  repoDiff,
  repoDump,
  repoExtendLocks,
  repoFind,
  repoForget,
  repoHold,
  repoInit,
  repoKeys,
  repoLs,
  repoMount,
  repoParity,
  repoPolicy,
  repoPrune,
  repoRecoverVersions,
  repoRepairIndex,
  repoRepairPacks,
  repoRepairSnapshots,
  repoRelease,
  repoRestore,
  repoRewrite,
  repoSnapshots,
  repoStats,
  repoUnlock,
  helpOf(() => ({ commands, groups })),
  completionOf(() => commands),
];

/** What a group of commands is about. */
export const groups: Readonly<Record<string, string>> = {
  repo: 'work on a repository directly, without a server',
  'repo repair': 'save all that is whole of a damaged repository, and name what is lost',
  recovery: 'look at, resume, hydrate, promote, undo or remove what was recovered',
};
