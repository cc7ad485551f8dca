/** What can go wrong while a source or its journal is moved into a repository. */
import { errorCatalogue } from '#base';

export const errors = errorCatalogue('capture', {
  treeBroken: {
    kind: 'failed',
    message: (what: string) => `the capture contradicts itself: ${what}`,
    guidance: 'Nothing was stored as a snapshot. Report this: the source gave wrong events.',
  },
  nothingToCapture: {
    kind: 'not-found',
    message: (paths: string) => `none of these could be captured: ${paths}`,
    guidance: 'Check the paths and that this user may read them.',
  },
  streamUnnamed: {
    kind: 'invalid',
    message: (name: string) => `"${name}" can't be the path of a file in a snapshot`,
    guidance: 'Give a name such as dump.sql, or a path such as dumps/orders.sql.',
  },
  blockMissing: {
    kind: 'failed',
    message: (id: string) =>
      `a block of the capture before, which did not change, is not in the repository any more: ${id}`,
    guidance: 'Nothing was stored as a snapshot. Take a new base from production.',
  },
  spoolBusy: {
    kind: 'refused',
    retryable: true,
    message: (folder: string) => `another Holdfast is writing the journal spool in ${folder}`,
    guidance: 'Stop the other one first: one journal has one writer.',
  },
  journalBroken: {
    kind: 'failed',
    message: (store: string, what: string) => `the journal of ${store} ${what}`,
    guidance: 'The span is recorded as a gap; a new base capture closes the window again.',
  },
});
