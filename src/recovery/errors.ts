/** Everything that recovery refuses or fails at, in words for whoever waits for the data. */
import { errorCatalogue } from '#base';

export const errors = errorCatalogue('recovery', {
  instantInFuture: {
    kind: 'invalid',
    message: (instant: string) => `${instant} is in the future`,
    guidance: 'Choose an instant that has passed, or `latest`.',
  },
  beforeWindow: {
    kind: 'not-found',
    message: (store: string, instant: string, first: string) =>
      `${store} can't be brought back to ${instant}: its recovery window begins at ${first}`,
    guidance: 'Choose a later instant; `holdfast points` shows what there is.',
  },
  inGap: {
    kind: 'not-found',
    message: (store: string, instant: string, from: string, to: string) =>
      `${store} can't be brought back to ${instant}: its journal has a gap from ${from} to ${to}`,
    guidance: 'Choose an instant before or after the gap; `holdfast points` shows both.',
  },
  nothingCaptured: {
    kind: 'not-found',
    message: (store: string) => `nothing of ${store} has been captured yet`,
    guidance: 'Protect it first: `holdfast up`, then `holdfast status`.',
  },
  noSuchStore: {
    kind: 'not-found',
    message: (store: string, known: string) =>
      `the environment has no protected store "${store}" (it has: ${known})`,
    guidance: 'Name one of these.',
  },
  noSuchMark: {
    kind: 'not-found',
    message: (mark: string) => `there is no mark "${mark}"`,
    guidance: 'See the marks with `holdfast points`, or set one with `holdfast mark`.',
  },
  noLeaderJournal: {
    kind: 'invalid',
    message: (what: string) => `${what} needs a leading store with a journal, and there is none`,
    guidance: 'Give an instant instead, or set `consistency.leader` to a continuous database.',
  },
  skewNotAccepted: {
    kind: 'refused',
    message: (stores: string) => `further from the instant than consistency.skew allows: ${stores}`,
    guidance:
      'Look at the table; accept each by name with `--accept STORE`, or choose another instant.',
  },
  targetNotEmpty: {
    kind: 'invalid',
    message: (folder: string) => `${folder} is not empty`,
    guidance: 'Name a folder that is empty or does not exist yet.',
  },
  notEnoughSpace: {
    kind: 'failed',
    message: (folder: string, needed: string, free: string) =>
      `${folder} has ${free} free and the recovery needs ${needed}`,
    guidance: 'Free some space or name another place with `--target`.',
  },
  noSuchRecovery: {
    kind: 'not-found',
    message: (id: string) => `there is no recovery "${id}" on this host`,
    guidance: 'See them with `holdfast recovery list`.',
  },
  wrongStatus: {
    kind: 'invalid',
    message: (id: string, status: string, wanted: string) =>
      `recovery ${id} is ${status}; this needs one that is ${wanted}`,
    guidance: 'See where it stands with `holdfast recovery list`.',
  },
  beingChanged: {
    kind: 'refused',
    message: (id: string) => `recovery ${id} is being made or changed by another process`,
    guidance: 'Wait for its end, or end that one (Ctrl-C where it runs), then try again.',
  },
  noProduction: {
    kind: 'invalid',
    message: (store: string) => `it is not known where ${store} lies in production on this host`,
    guidance: 'In-place recovery replaces a local folder: name it in holdfast.yaml (`directory`).',
  },
  noControl: {
    kind: 'invalid',
    message: (name: string) =>
      `${name} has no \`control: {stop, start}\`: production can't be stopped safely`,
    guidance: 'Add the two commands to holdfast.yaml, or recover beside production.',
  },
  sourceUnknown: {
    kind: 'failed',
    message: (type: string) => `captured by a source that this version doesn't know: ${type}`,
    guidance: 'Use a Holdfast that has this source.',
  },
  homeIsMounted: {
    kind: 'invalid',
    message: (store: string, directory: string) =>
      `${store} lies in ${directory}, which is a mount point: nothing can take its place`,
    guidance: 'Keep the store in a folder below it, or recover beside production and copy.',
  },
  stillInUse: {
    kind: 'refused',
    message: (store: string, directory: string) =>
      `${store} is still in use at ${directory} after its stop command`,
    guidance: 'Mend the `control.stop` command: nothing was replaced.',
  },
  // ---- parts of stores
  noTables: {
    kind: 'invalid',
    message: (store: string, type: string) => `${store} holds no tables: it is a store of ${type}`,
    guidance: 'Name a database with --store; of a folder: --file PATH or --prefix FOLDER.',
  },
  noFiles: {
    kind: 'invalid',
    message: (store: string, type: string) => `${store} holds no files: it is a store of ${type}`,
    guidance: 'Name a folder with --store; of a database: --table NAME.',
  },
  stillHolds: {
    kind: 'not-found',
    message: (instant: string) => `the condition still holds at ${instant}`,
    guidance:
      'Write it so that it was true while all was well and is false now, or look further: --to WHEN.',
  },
  neverHeld: {
    kind: 'not-found',
    message: (instant: string) =>
      `the condition doesn't hold at ${instant}, where the search begins`,
    guidance:
      'Name an instant at which it held with --from WHEN (`holdfast points` shows how far back); before its tables were made it holds nowhere.',
  },
  noSuchMerge: {
    kind: 'not-found',
    message: (id: string) => `production knows of no merge "${id}"`,
    guidance:
      'Name its store and database as the merge did (--store, --database); what was merged lies in holdfast_undo.merges there.',
  },
  spanEmpty: {
    kind: 'invalid',
    message: (from: string, to: string) => `there is nothing between ${from} and ${to}`,
    guidance: 'Let --from be earlier than --to.',
  },
  notInStore: {
    kind: 'not-found',
    message: (store: string, path: string, instant: string) =>
      `${store} had no "${path}" at ${instant}`,
    guidance: 'Paths begin in the folder of the store, as `holdfast diff` shows them.',
  },
  fileInTheWay: {
    kind: 'refused',
    message: (path: string, count: number) =>
      count === 1
        ? `${path} is there already and is another one`
        : `${path} and ${count - 1} more are there already and are others`,
    guidance: 'Bring them back beside (--as NAME), or in their place, which is kept (--overwrite).',
  },
  outsideStore: {
    kind: 'invalid',
    message: (path: string) => `"${path}" leads out of the store`,
    guidance: 'Name a path below its folder, without `..`.',
  },
  wayBlocked: {
    kind: 'refused',
    message: (path: string, what: string) => `${path} is in the way: it is ${what}`,
    guidance: 'Bring it back under another name (--as NAME). Nothing of that entry was changed.',
  },
  // ---- restoring a tree
  targetNotAFolder: {
    kind: 'invalid',
    message: (target: string) => `${target} is not a folder`,
    guidance: 'Name a folder that is empty or does not exist yet.',
  },
  targetNotWritable: {
    kind: 'refused',
    message: (target: string, why: string) => `${target} can't be written to: ${why}`,
    guidance: 'Name a folder that this user may write to, or run it as root.',
  },
  targetFull: {
    kind: 'failed',
    message: (target: string, free: string) => `no space left in ${target} (${free} free)`,
    guidance:
      'Free some space or name another place. What was restored so far lies there; restore again into an empty folder.',
  },
  mountFull: {
    kind: 'failed',
    message: (folder: string, free: string) => `no space left in ${folder} (${free} free)`,
    guidance:
      'Free some space there, then run it again: it goes on where it stopped. What is mounted stays mounted, and can be read.',
  },
  pathNotInSnapshot: {
    kind: 'not-found',
    message: (path: string) => `the snapshot holds no "${path}"`,
    guidance: 'See what it holds with `holdfast repo ls SNAPSHOT`.',
  },
  directoryLost: {
    kind: 'failed',
    message: (id: string) => `a folder of the snapshot can't be found (tree ${id} is in no index)`,
    guidance:
      'Its pack or an index is missing: `holdfast repo check` says which. Packs without an index get one by `restic rebuild-index`.',
  },
  unsafeName: {
    kind: 'failed',
    message: (name: string) => `"${name}" can't be the name of an entry`,
    guidance: 'The tree was forged or damaged: run `holdfast repo check --read-data`.',
  },
  // ---- mounting
  fuseAbsent: {
    kind: 'failed',
    message: (device: string, code: string) => `${device} can't be opened here (${code})`,
    guidance:
      'The kernel needs FUSE: `modprobe fuse`; in a container, hand the device in. `holdfast repo restore` needs none.',
  },
  runFolderTaken: {
    kind: 'refused',
    message: (folder: string) => `${folder} is not a folder of this user alone`,
    guidance: 'Remove it, or name another place in XDG_RUNTIME_DIR.',
  },
  fuseRefused: {
    kind: 'refused',
    message: (device: string) => `this user may not open ${device}`,
    guidance:
      'Mount as root, or let everybody open the device (`chmod 666`), as fuse3 does at boot.',
  },
  fuseTooOld: {
    kind: 'failed',
    message: (version: string) => `the kernel speaks FUSE ${version}; 7.28 is the least`,
    guidance: 'Use Linux 5.0 or later, or `holdfast repo restore`.',
  },
  mountFailed: {
    kind: 'failed',
    message: (folder: string, why: string) => `${folder} could not be mounted: ${why}`,
    guidance: 'Name an empty folder that nothing is mounted on, and mount as root.',
  },
  notMounted: {
    kind: 'not-found',
    message: (folder: string) => `nothing of ours is mounted at ${folder}`,
    guidance:
      'What wrote to it is on disk, but not all of it was here: `holdfast recovery resume` mounts it again.',
  },
  mountUnknown: {
    kind: 'failed',
    message: (id: string, store: string) =>
      `${store} of recovery ${id} can't be mounted again: it wasn't laid out to its end`,
    guidance: 'Remove this recovery, and recover again.',
  },
  notWhole: {
    kind: 'invalid',
    message: (id: string, store: string) =>
      `${store} of recovery ${id} can't leave its mount: not all of it is here`,
    guidance: 'Bring it here first: `holdfast recovery hydrate`.',
  },
  standsAlone: {
    kind: 'invalid',
    message: (id: string) => `recovery ${id} stands on its own: nothing of it is mounted`,
    guidance: 'See what lives here with `holdfast recovery list`.',
  },
  writesLost: {
    kind: 'failed',
    message: (folder: string) =>
      `not all that was written to ${folder} found room there before it was durable: it can't be trusted`,
    guidance: 'Free some space there, remove this recovery, and recover again.',
  },
  lostWithHost: {
    kind: 'failed',
    message: (folder: string) =>
      `this host ended before what was written to ${folder} was durable: it can't be trusted`,
    guidance: 'Remove this recovery, and recover again.',
  },
  mountServiceFailed: {
    kind: 'failed',
    message: (why: string, log: string) =>
      `the process that serves mounts ended: ${why || 'it said nothing'} (log: ${log})`,
    guidance: 'Recover with `--full`, which needs no mount.',
  },
  mountServiceSilent: {
    kind: 'failed',
    message: () => 'the process that serves mounts ended before it answered',
    guidance: 'Try again; `--full` needs no mount.',
  },
  mountPointUnfit: {
    kind: 'invalid',
    message: (folder: string, why: string) => `${folder} can't be a mount point: ${why}`,
    guidance: 'Name an empty folder.',
  },
  ownerUnknown: {
    kind: 'invalid',
    message: (owner: string) => `"${owner}" is no user of this system`,
    guidance: 'Name an existing user with --owner.',
  },
  ownerRefused: {
    kind: 'refused',
    message: (owner: string) => `only root can give files to "${owner}"`,
    guidance: 'Run it as root, or as that user without --owner.',
  },
  notAFile: {
    kind: 'invalid',
    message: (path: string, kind: string) => `"${path}" is no file but a ${kind}`,
    guidance: 'Dump it as an archive (`--archive`), or the folder that it lies in.',
  },
});
