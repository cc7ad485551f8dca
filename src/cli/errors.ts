/** What can be wrong with a command line, before any layer below is asked. */
import { errorCatalogue } from '#base';

export const errors = errorCatalogue('cli', {
  usage: {
    kind: 'invalid',
    message: (what: string, _command: string) => what,
    guidance: (_what: string, command: string) => `See: ${command} --help`,
  },
  unknownCommand: {
    kind: 'invalid',
    message: (name: string, _close: string | undefined) => `there is no command "${name}"`,
    guidance: (_name: string, close: string | undefined) =>
      close === undefined
        ? 'See all of them: holdfast --help'
        : `Did you mean "${close}"? See all of them: holdfast --help`,
  },
  unparsableWhen: {
    kind: 'invalid',
    message: (text: string, why: string) => `"${text}" is no instant: ${why}`,
    guidance:
      'Write a time (10:42, 2026-11-21T10:42:07Z, "5m ago"), latest, "before deploy 4f2c1e", an LSN (0/1A2B3C) or "restore-point NAME".',
  },
  interrupted: {
    kind: 'interrupted',
    message: () => 'interrupted',
    guidance: 'What was finished is kept; the same command goes on from there.',
  },
  needsTerminal: {
    kind: 'refused',
    message: (question: string, _flag: string) =>
      `this needs an answer, and there is no terminal: ${question}`,
    guidance: (_question: string, flag: string) => `Answer beforehand with ${flag}.`,
  },
  repositoryUnnamed: {
    kind: 'invalid',
    message: () => 'no repository was named',
    guidance: 'Name it with --repo, or set HOLDFAST_REPOSITORY.',
  },
  notInSnapshot: {
    kind: 'not-found',
    message: (snapshot: string, path: string) => `snapshot ${snapshot} holds no "${path}"`,
    guidance: 'Paths begin at the root, as they were backed up. See all: holdfast repo ls SNAPSHOT',
  },
  passwordUnnamed: {
    kind: 'invalid',
    message: () => 'the password of the repository was not given',
    guidance: 'Give it with --password-file FILE, or set HOLDFAST_PASSWORD.',
  },
  passwordFileUnreadable: {
    kind: 'invalid',
    message: (file: string, why: string) => `the password file ${file} can't be read: ${why}`,
    guidance: 'Name a file that this user may read; its first line is the password.',
  },
  whichRecovery: {
    kind: 'invalid',
    message: (fitting: string) => `it is not clear which recovery is meant (fitting: ${fitting})`,
    guidance: 'Name one; see them with `holdfast recovery list`.',
  },
  rateInvalid: {
    kind: 'invalid',
    message: (rate: string) => `"${rate}" is no rate`,
    guidance: 'Give bytes in a second: --rate 50MiB.',
  },
  pauseAlone: {
    kind: 'invalid',
    message: () => '--pause goes with neither --resume nor --rate',
    guidance: 'Pause it, or let it go on: `holdfast recovery hydrate --help`.',
  },
  mountsLost: {
    kind: 'failed',
    message: (id: string) => `recovery ${id} lost its mounts: what served them has ended`,
    guidance: 'Bring them back: holdfast recovery resume. Then this goes on where it stopped.',
  },
  notHydrated: {
    kind: 'failed',
    message: (id: string, why: string) => `not all of recovery ${id} could be brought here: ${why}`,
    guidance: 'Mend that, then `holdfast recovery hydrate` goes on where it stopped.',
  },
  otherEnvironment: {
    kind: 'invalid',
    message: (id: string, environment: string, file: string) =>
      `recovery ${id} is of ${environment}, which is not what ${file} declares`,
    guidance: 'Name the right file with --file (and its stage with --stage).',
  },
  notAccepted: {
    kind: 'refused',
    message: (what: string) => `not carried out: ${what}`,
    guidance: 'Nothing was changed. Run it again and answer, or use --yes.',
  },
  noControlPlane: {
    kind: 'not-found',
    message: () => 'no control plane runs here',
    guidance: 'Start one: holdfast up -d. Another one is named by HOLDFAST_URL and HOLDFAST_TOKEN.',
  },
  tokenMissing: {
    kind: 'invalid',
    message: (url: string) => `HOLDFAST_URL names ${url}, but there is no token for it`,
    guidance: 'Set HOLDFAST_TOKEN; it lies in the state folder of that server: token.',
  },
  controlPlaneUnreachable: {
    kind: 'failed',
    retryable: true,
    message: (url: string, why: string) => `the control plane at ${url} can't be reached: ${why}`,
    guidance: 'See whether it runs: holdfast status. Start it: holdfast up -d',
  },
  controlPlaneStrange: {
    kind: 'failed',
    message: (url: string, status: number) =>
      `${url} answered ${status}, but not as a control plane does`,
    guidance: 'Check HOLDFAST_URL: something else may serve there.',
  },
  serverEnded: {
    kind: 'failed',
    message: (_log: string) => 'the control plane ended while it was starting',
    guidance: (log: string) => `What it said lies in ${log}.`,
  },
  serverSilent: {
    kind: 'failed',
    message: (_log: string) => 'the control plane was not ready within 4 minutes, and was ended',
    guidance: (log: string) =>
      `What it said lies in ${log}. Start it in the foreground: holdfast serve`,
  },
  stillRunning: {
    kind: 'failed',
    message: (pid: number) => `the control plane (pid ${pid}) takes longer than a minute to stop`,
    guidance: 'Wait, or end it by its pid: whatever is cut goes on at the next start.',
  },
  declinedPurge: {
    kind: 'refused',
    message: () => 'nothing was removed',
    guidance: 'Answer yes, or use --yes.',
  },
});
