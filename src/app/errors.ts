/** What can go wrong in wiring a control plane, and in what is asked of it. */
import { errorCatalogue } from '#base';

export const errors = errorCatalogue('app', {
  alreadyRunning: {
    kind: 'refused',
    message: (who: string) => `a control plane runs on this state folder already: ${who}`,
    guidance:
      'Use it (holdfast status), stop it (holdfast down), or choose another folder with HOLDFAST_STATE.',
  },
  standingBy: {
    kind: 'refused',
    message: (leader: string) =>
      `this control plane stands by: ${leader} leads on the same catalog`,
    guidance: 'Ask that one. When it ends, this one takes over within seconds.',
  },
  catalogElsewhere: {
    kind: 'invalid',
    message: (url: string, _note: string) =>
      `the catalog of this state folder lies in ${url}, but HOLDFAST_DATABASE_URL isn't set`,
    guidance: (_url: string, note: string) =>
      `Set it. To begin with an embedded catalog instead, remove ${note}`,
  },
  stateFolder: {
    kind: 'refused',
    message: (folder: string, what: string) => `the state folder ${folder} can't be used: ${what}`,
    guidance: 'Choose one that this user may write: HOLDFAST_STATE=/some/folder.',
  },
  catalogEnded: {
    kind: 'failed',
    retryable: true,
    message: () => "the catalog's Postgres ended by itself",
    guidance: 'Its log lies in the state folder: catalog/postgres.log. Start again: holdfast up',
  },
  stopping: {
    kind: 'interrupted',
    message: () => 'the control plane is stopping',
    guidance: 'It goes on from here at the next start.',
  },
  noEnvironment: {
    kind: 'not-found',
    message: () => 'nothing is protected here yet',
    guidance: 'Declare it in holdfast.yaml, then: holdfast up',
  },
  environmentNotFound: {
    kind: 'not-found',
    message: (wanted: string, _known: string) => `no environment ${wanted} is protected here`,
    guidance: (_wanted: string, known: string) => `Here are: ${known}.`,
  },
  environmentUnclear: {
    kind: 'invalid',
    message: (_known: string) => 'several environments are protected here',
    guidance: (known: string) => `Name one with --environment (and --stage): ${known}.`,
  },
  environmentTrouble: {
    kind: 'failed',
    retryable: true,
    message: (name: string, what: string) => `${name} isn't protected: ${what}`,
    guidance: 'Mend what it says, then: holdfast apply',
  },
  storeNotFound: {
    kind: 'not-found',
    message: (store: string, _known: string) => `there is no protected store "${store}"`,
    guidance: (_store: string, known: string) => `Protected are: ${known}.`,
  },
  runNotFound: {
    kind: 'not-found',
    message: (id: string) => `there is no capture "${id}"`,
    guidance: 'It may have been cleaned up; what it made is shown by: holdfast points',
  },
  proofNotFound: {
    kind: 'not-found',
    message: (id: string) => `no proof "${id}" was asked for`,
    guidance: 'It may have been cleaned up; what came of it is shown by: holdfast points',
  },
  recoveryFailed: {
    kind: 'failed',
    message: (what: string) => what,
    guidance: 'Nothing of production was touched. Remove it: holdfast recovery remove ID',
  },
  baseNeedsMounts: {
    kind: 'failed',
    message: (store: string, why: string) =>
      `no base of ${store} can be made off production, for nothing can be mounted here: ${why}`,
    guidance:
      'Mend that, or let bases come from production: take `base` out of the store in holdfast.yaml.',
  },
  storeNotNamed: {
    kind: 'invalid',
    message: (environment: string) => `not one store of ${environment} alone holds tables`,
    guidance: 'Name the store that is meant.',
  },
  conditionUnknown: {
    kind: 'failed',
    message: (what: string) => `the condition could not be asked of a copy: ${what}`,
    guidance: 'It must run on this host, and end within a minute.',
  },
  partNotFound: {
    kind: 'not-found',
    message: (id: string) => `there is no part "${id}" that was looked up here`,
    guidance: 'It may be of before a restart of the server: ask for it anew.',
  },
  partNotPreviewed: {
    kind: 'refused',
    message: (id: string, state: string) => `${id} is ${state}: there is nothing to decide`,
    guidance: 'Ask for it anew where production should still be changed.',
  },
  tooManyParts: {
    kind: 'refused',
    retryable: true,
    message: (most: number) => `${most} parts of stores are being looked up already`,
    guidance: 'Wait until one of them has ended, or discard one.',
  },
  ownedElsewhere: {
    kind: 'refused',
    message: (holder: string) =>
      `the repository's retention is owned by another control plane: ${holder}`,
    guidance: 'Stop that one. If it is lost for good, become the owner: holdfast up --take-over',
  },
  unknownSource: {
    kind: 'invalid',
    message: (store: string, type: string) => `store ${store}: there is no source "${type}"`,
    guidance: 'Update Holdfast where holdfast.yaml was written for a later version.',
  },
  declarationMissing: {
    kind: 'not-found',
    message: (location: string) => `no holdfast.yaml was captured in ${location}`,
    guidance: 'Name one with --file.',
  },
  declarationAmbiguous: {
    kind: 'invalid',
    message: (names: string) => `the repository holds several environments: ${names}`,
    guidance: 'Name the holdfast.yaml of the one you mean with --file.',
  },
});
