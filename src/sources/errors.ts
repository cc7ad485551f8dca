/** What can go wrong with any source; a source with many errors of its own keeps its own catalogue. */
import { errorCatalogue } from '#base';

export const errors = errorCatalogue('sources', {
  folderMissing: {
    kind: 'not-found',
    message: (store: string, folder: string) => `${store}: there is no folder ${folder}`,
    guidance: 'Check `path` of this store in holdfast.yaml, and that its volume is mounted.',
  },
  notAFolder: {
    kind: 'invalid',
    message: (store: string, path: string) => `${store}: ${path} is not a folder`,
    guidance: 'Name the folder that holds it; `exclude` leaves out what else is there.',
  },
  folderUnreadable: {
    kind: 'refused',
    message: (store: string, folder: string, why: string) =>
      `${store}: ${folder} can't be read: ${why}`,
    guidance: (_store: string, folder: string, _why: string) =>
      `Run Holdfast as a user that may read it, or let this one: setfacl -R -m u:$(id -un):rX ${folder}`,
  },
  hookFailed: {
    kind: 'failed',
    message: (store: string, hook: string, why: string) => `${store}: the ${hook} hook ${why}`,
    guidance: 'Run its command by hand as the user that runs Holdfast, and mend what it says.',
  },
  watchLimit: {
    kind: 'refused',
    message: (store: string, limit: string, value: number) =>
      `${store}: the kernel lets this user watch no more folders (${limit} is ${value})`,
    guidance: (_store: string, limit: string, value: number) =>
      `As root: sysctl -w ${limit}=${value * 4}   and put "${limit} = ${value * 4}" into /etc/sysctl.d/60-holdfast.conf. Until then the store can be protected by an interval: protect: {every: 5m}`,
  },
  watchUnsupported: {
    kind: 'refused',
    message: (store: string) => `${store}: folders can only be watched on Linux`,
    guidance: 'Protect it by an interval: protect: {every: 5m}',
  },
  ownerUnknown: {
    kind: 'invalid',
    message: (name: string) => `"${name}" is no user of this system`,
    guidance: 'Name an existing user with --owner.',
  },
  folderNotRestored: {
    kind: 'failed',
    message: (path: string, why: string) => `${path} could not be made as it was: ${why}`,
    guidance: 'Run it as root, or name the owner of what is recovered with --owner.',
  },
});
