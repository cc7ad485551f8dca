/** Everything that can go wrong in a repository, in words for whoever operates it. */
import { errorCatalogue } from '#base';

export const errors = errorCatalogue('repository', {
  // ---- storage
  notInStorage: {
    kind: 'not-found',
    message: (name: string, location: string) => `${name} is not in ${location}`,
    guidance: 'Run `holdfast repo check` to see what is missing and what depends on it.',
  },
  shortRead: {
    kind: 'failed',
    message: (name: string, wanted: string) => `${name} is shorter than expected (${wanted})`,
    guidance: 'The file was cut. Run `holdfast repo check --read-data` to see what is affected.',
  },
  notKept: {
    kind: 'failed',
    message: (name: string, location: string) =>
      `${location} confirmed that ${name} is stored, and doesn't have it`,
    guidance:
      'The storage gives false word. Run it again, and `holdfast repo check --read-data` to see what else it lost.',
  },
  storageFull: {
    kind: 'failed',
    message: (location: string) => `no space left in ${location}`,
    guidance:
      'Free some space there (`holdfast repo forget --prune` removes what no policy keeps) and run it again: nothing that was stored is lost.',
  },
  storageFailed: {
    kind: 'failed',
    retryable: true,
    message: (operation: string, name: string, location: string, why: string) =>
      `${operation} ${name} in ${location}: ${why}`,
    guidance: 'Look at the storage: it answered with an error, and trying again did not help.',
  },
  storageDenied: {
    kind: 'refused',
    message: (operation: string, name: string, location: string) =>
      `${operation} ${name} in ${location}: permission denied`,
    guidance: 'Give the user that runs Holdfast the right to read and write there.',
  },
  storageTimeout: {
    kind: 'failed',
    retryable: true,
    message: (operation: string, name: string, location: string) =>
      `${operation} ${name} in ${location} got no answer in time`,
    guidance: 'Look at the network and the storage, then run it again.',
  },
  noVersions: {
    kind: 'invalid',
    message: (location: string) => `${location} keeps no versions of its files`,
    guidance: 'Only buckets with versioning can bring back what was overwritten or removed.',
  },
  pricesInvalid: {
    kind: 'invalid',
    message: (file: string, why: string) => `the price list ${file} can't be used: ${why}`,
    guidance: 'Take `prices` out of `holdfast repo cost --json` and change its numbers.',
  },
  noLocks: {
    kind: 'invalid',
    message: (location: string) => `${location} locks nothing`,
    guidance:
      'Only buckets with Object Lock do: give the bucket a rule for new objects, or name one with `-o s3.lock=compliance:30d`.',
  },
  stillLocked: {
    kind: 'refused',
    message: (name: string, location: string, until: string) =>
      `${name} in ${location} is locked until ${until}`,
    guidance: 'Nobody can remove it before. Run it again then.',
  },
  storageUnknown: {
    kind: 'invalid',
    message: (scheme: string) => `repositories on "${scheme}:" can't be opened`,
    guidance: 'Use a folder (`/srv/backup`) or a bucket (`s3:https://host/bucket/folder`).',
  },
  storageNotYet: {
    kind: 'invalid',
    message: (scheme: string) => `repositories on "${scheme}:" are not yet supported`,
    guidance: 'Use a folder (`/srv/backup`) or a bucket (`s3:https://host/bucket/folder`).',
  },
  storageTooNarrow: {
    kind: 'invalid',
    message: (scheme: string) =>
      `"${scheme}:" keeps only the folders that restic knows, so that Holdfast's own (journal, records, parity, second copies, under holdfast/) can't be there`,
    guidance:
      'Use the folder or the bucket behind it directly (`/srv/backup`, `s3:https://host/bucket/folder`).',
  },
  badName: {
    kind: 'invalid',
    message: (name: string) => `"${name}" is no name of a file in a repository`,
    guidance: 'Names are relative, separated by `/`, without empty parts, `.` or `..`.',
  },
  // ---- opening and creating
  noRepository: {
    kind: 'not-found',
    message: (location: string) => `there is no repository in ${location}`,
    guidance: 'Check the address, or create one with `holdfast repo init`.',
  },
  repositoryExists: {
    kind: 'refused',
    message: (location: string) => `there is a repository in ${location} already`,
    guidance: 'Use it as it is, or choose another place.',
  },
  wrongPassword: {
    kind: 'refused',
    message: (location: string) => `the password opens none of the keys of ${location}`,
    guidance: 'Check HOLDFAST_PASSWORD or --password-file. Without a password the data is lost.',
  },
  noKeys: {
    kind: 'failed',
    message: (location: string) => `${location} holds a repository without any usable key`,
    guidance: 'Bring the files of its keys/ folder back: without one, nothing can be decrypted.',
  },
  newerFormat: {
    kind: 'refused',
    message: (location: string, found: number, known: number) =>
      `${location} is of format ${found}; this Holdfast knows formats up to ${known}`,
    guidance: 'Use a newer Holdfast for this repository.',
  },
  olderFormat: {
    kind: 'refused',
    message: (location: string, found: number) =>
      `${location} is of format ${found}, which Holdfast only reads`,
    guidance: 'Upgrade it with `restic migrate upgrade_repo_v2`, then write to it.',
  },
  badConfig: {
    kind: 'failed',
    message: (why: string) => `the repository's config is not valid: ${why}`,
    guidance: 'Bring its `config` file back from a copy; nothing can be read without it.',
  },
  away: {
    kind: 'failed',
    retryable: true,
    message: (location: string) => `the repository at ${location} has gone: nothing of it shows`,
    guidance: 'Is its disk or share mounted? Try again when it is back: nothing was changed.',
  },
  emptyPassword: {
    kind: 'invalid',
    message: () => 'an empty password protects nothing',
    guidance: 'Give a password of at least one character.',
  },
  // ---- damage
  notAuthentic: {
    kind: 'failed',
    message: () => 'the bytes are not what was once written with this key',
    guidance: 'Run `holdfast repo check --read-data` to see what is damaged.',
  },
  fileDamaged: {
    kind: 'failed',
    message: (name: string, why: string) => `${name} is damaged: ${why}`,
    guidance: 'Run `holdfast repo check` to see what is affected; what is whole can still be read.',
  },
  packDamaged: {
    kind: 'failed',
    message: (packId: string, why: string) => `pack ${packId} is damaged: ${why}`,
    guidance:
      'Run `holdfast repo check --read-data` to see which snapshots are affected; what is whole can still be read.',
  },
  blobDamaged: {
    kind: 'failed',
    message: (type: string, blobId: string, packId: string, why: string) =>
      `${type} blob ${blobId} in pack ${packId} is damaged: ${why}`,
    guidance:
      'Run `holdfast repo check --read-data` to see which snapshots are affected; what is whole can still be read.',
  },
  blobMissing: {
    kind: 'failed',
    message: (type: string, blobId: string) => `${type} blob ${blobId} is in no index`,
    guidance:
      'An index or a pack is missing: `holdfast repo check` says which. Packs without an index get one by `restic rebuild-index`.',
  },
  blobTooLarge: {
    kind: 'failed',
    message: (blobId: string, bytes: number) => `blob ${blobId} says to be ${bytes} bytes long`,
    guidance: 'No writer makes such blobs: the index is damaged or forged.',
  },
  treeTooLarge: {
    kind: 'failed',
    message: (mostBytes: number) =>
      `a folder holds so many entries that what is stored of them would be over ${mostBytes} bytes`,
    guidance:
      'Some three million entries of one folder can be stored. Spread them over several, or leave the folder out.',
  },
  packNotFound: {
    kind: 'not-found',
    message: (what: string) => `no pack, or more than one, begins with "${what}"`,
    guidance:
      'Take the id as `holdfast repo check --read-data` names it, or name none: all are read then.',
  },
  subsetInvalid: {
    kind: 'invalid',
    message: (text: string) => `"${text}" is no part of a repository`,
    guidance: 'Give a share (`1%`), a part (`2/7`, at most 256 of them) or an amount (`500M`).',
  },
  parityOverhead: {
    kind: 'invalid',
    message: (least: number, most: number) =>
      `parity takes from ${least}% to ${most}% of what it protects`,
    guidance: 'Give another `--overhead`; 3% brings back a burst or a cut of about 2.8% of a pack.',
  },
  sealedMisplaced: {
    kind: 'failed',
    message: (name: string, inside: string) => `${name} holds what was written as ${inside}`,
    guidance: 'Files under holdfast/ were exchanged in the storage. Bring the right ones back.',
  },
  // ---- locks
  locked: {
    kind: 'refused',
    retryable: true,
    message: (location: string, who: string) => `${location} is locked ${who}`,
    guidance:
      'Wait until it ends. If that process is gone, `holdfast repo unlock` removes its lock.',
  },
  lockUnreadable: {
    kind: 'refused',
    message: (location: string, id: string) => `${location} has a lock that can't be read (${id})`,
    guidance: 'Make sure that nothing uses the repository, then delete that file of locks/.',
  },
  lockLost: {
    kind: 'failed',
    message: (location: string) =>
      `the lock on ${location} could not be refreshed in time; the work was stopped`,
    guidance: 'Look at the storage and the load of this machine, then run it again.',
  },
  // ---- snapshots, keys
  snapshotNotFound: {
    kind: 'not-found',
    message: (what: string) => `no snapshot matches "${what}"`,
    guidance: 'List them with `holdfast repo snapshots`.',
  },
  snapshotAmbiguous: {
    kind: 'invalid',
    message: (what: string, count: number) => `"${what}" is the beginning of ${count} snapshot ids`,
    guidance: 'Give more digits.',
  },
  keyNotFound: {
    kind: 'not-found',
    message: (what: string) => `no key matches "${what}"`,
    guidance: 'List them with `holdfast repo keys`.',
  },
  keyInUse: {
    kind: 'refused',
    message: (id: string) => `key ${id} is the one that this session was opened with`,
    guidance: 'Open the repository with another password to remove this one.',
  },
  policyEmpty: {
    kind: 'invalid',
    message: () => 'a policy that keeps nothing would remove every snapshot',
    guidance: 'Say what to keep, for example `--keep-daily 7 --keep-weekly 5`.',
  },
  clockDisagrees: {
    kind: 'refused',
    message: (ours: string, what: string, other: string, apart: string) =>
      `this machine's clock says ${ours}, but ${what} says ${other}: ${apart} apart`,
    guidance:
      'What is old is judged by this clock. Set it right, or, where you know that it is right, say `--trust-clock`.',
  },
  reasonMissing: {
    kind: 'invalid',
    message: () => 'a hold is set and lifted for a reason',
    guidance: 'Say it with `--because "…"`.',
  },
  notHeld: {
    kind: 'not-found',
    message: (snapshot: string) => `snapshot ${snapshot} is not held`,
    guidance: 'See what is held with `holdfast repo snapshots`.',
  },
  usedBlobMissing: {
    kind: 'failed',
    message: (count: number, example: string) =>
      `${count} blobs that snapshots need are missing (${example}): nothing was pruned`,
    guidance: 'Run `holdfast repo check` first; pruning a damaged repository could make it worse.',
  },
  readOnly: {
    kind: 'refused',
    message: (location: string, name: string) => `${name} of ${location} is only looked at`,
    guidance: 'Nothing was changed. This should not be met: please report it.',
  },
  sameRepository: {
    kind: 'invalid',
    message: (location: string) => `${location} can't be copied into itself`,
    guidance: 'Name another repository with --from.',
  },
  // ---- records and journal
  recordInvalid: {
    kind: 'failed',
    message: (name: string, why: string) => `the record ${name} can't be used: ${why}`,
    guidance: 'Bring this file of holdfast/ back from a copy; other records are not affected.',
  },
  recordTooNew: {
    kind: 'refused',
    message: (name: string, version: number) =>
      `the record ${name} was written by a newer Holdfast (version ${version})`,
    guidance: 'Use the newer Holdfast to read it.',
  },
  recordNotFound: {
    kind: 'not-found',
    message: (what: string) => `the repository holds no ${what}`,
    guidance: 'List what there is with `holdfast points`.',
  },
  addressInvalid: {
    kind: 'invalid',
    message: (name: string) => `"${name}" can't name an environment, stage, store or record`,
    guidance: 'Use 1 to 100 of the characters a-z, 0-9 and -.',
  },
  blockMapInvalid: {
    kind: 'failed',
    message: (name: string, why: string) => `the block map ${name} can't be used: ${why}`,
    guidance: 'Restore this capture instead of mounting it: its tree needs no block map.',
  },
  journalGap: {
    kind: 'not-found',
    message: (store: string, line: number, missing: string, why: string) =>
      `the journal of ${store} is broken: line ${line} has nothing at ${missing}${why}`,
    guidance:
      'Choose an instant before this place, or one after the next base capture behind it (`holdfast points`).',
  },
  journalPieceDamaged: {
    kind: 'failed',
    message: (name: string, why: string) => `the journal piece ${name} is damaged: ${why}`,
    guidance: 'Choose an instant before this piece, or one after the next base capture behind it.',
  },
  spoolFull: {
    kind: 'failed',
    retryable: true,
    message: (folder: string) => `no space left for the journal spool in ${folder}`,
    guidance:
      'Free some space there. Nothing acknowledged is lost: the stream goes on from what is safely stored.',
  },
  spoolFailed: {
    kind: 'failed',
    retryable: true,
    message: (folder: string, why: string) => `the journal spool in ${folder} failed: ${why}`,
    guidance: 'Look at the disk of this folder. The stream goes on from what is safely stored.',
  },
  // ---- trees and writing
  treeDamaged: {
    kind: 'failed',
    message: (why: string) => `a directory can't be read: ${why}`,
    guidance:
      'Run `holdfast repo check --read-data` to see which snapshots are affected; other directories can still be read.',
  },
  treeUnordered: {
    kind: 'failed',
    message: (name: string, after: string) =>
      `the entry "${name}" comes after "${after}", but each name must come once and in the order of bytes`,
    guidance: 'The source gave the entries of a directory out of order: please report it.',
  },
  treeName: {
    kind: 'failed',
    message: (name: string) => `"${name}" can't be the name of an entry of a directory`,
    guidance: 'The source gave a name that no file system has: please report it.',
  },
  writerStopped: {
    kind: 'failed',
    message: (why: string) => `writing into the repository was stopped: ${why}`,
    guidance:
      'Nothing that was stored is lost. Mend the cause and run it again: what is in the repository already is not read twice.',
  },
  writerEnded: {
    kind: 'failed',
    message: () => 'this session of writing has ended',
    guidance: 'Open another one: a writer takes nothing more after it was finished or given up.',
  },
});
