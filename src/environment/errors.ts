/** What can go wrong with an environment's file, its plan, its services and checks. */
import { errorCatalogue } from '#base';

export const errors = errorCatalogue('environment', {
  invalidFile: {
    kind: 'invalid',
    message: (file: string, count: number, lines: readonly string[]) =>
      `${file} has ${count === 1 ? '1 problem' : `${count} problems`}\n${lines.join('\n')}`,
    guidance:
      'Mend what is named and run the command again. An editor that knows the schema helps.',
  },
  fileMissing: {
    kind: 'not-found',
    message: (file: string) => `there is no ${file}`,
    guidance: '`holdfast init` writes a first one after looking around; --file names another.',
  },
  fileUnreadable: {
    kind: 'failed',
    message: (file: string, why: string) => `${file} can't be read: ${why}`,
    guidance: 'Check that the file is there and that this user may read it.',
  },
  overlayMissing: {
    kind: 'not-found',
    message: (stage: string, file: string) => `there is no stage ${stage}: no file ${file}`,
    guidance: (_stage: string, file: string) =>
      `Write ${file} with what differs, or leave -e away.`,
  },
  starterExists: {
    kind: 'refused',
    message: (file: string) => `${file} is there already`,
    guidance: 'It stays as it is. `holdfast plan` shows what it protects.',
  },
  notYaml: {
    kind: 'invalid',
    message: (file: string, why: string) => `${file} is no YAML: ${why}`,
    guidance: 'Mend it first: `holdfast plan` says where.',
  },
  serviceUnknown: {
    kind: 'not-found',
    message: (service: string) => `no service ${service} is declared`,
    guidance: 'Look at `services` in holdfast.yaml.',
  },
  serviceWithoutRun: {
    kind: 'invalid',
    message: (service: string) => `services.${service} has no run: a copy of it can't be started`,
    guidance: 'Declare `run` with the command that starts it in the foreground.',
  },
  serviceWithoutControl: {
    kind: 'invalid',
    message: (service: string) =>
      `services.${service} has no control: production can't be stopped or started`,
    guidance: 'Declare `control: {stop: …, start: …}` with the command lines that do it.',
  },
  bindingUnknown: {
    kind: 'failed',
    message: (subject: string, reference: string) =>
      `${subject} refers to ${reference}, which this copy doesn't have`,
    guidance: 'Recover that store or service too, or take the reference out of holdfast.yaml.',
  },
  variableMissing: {
    kind: 'invalid',
    message: (subject: string, reference: string, why: string) =>
      `${subject} refers to ${reference}: ${why}`,
    guidance: 'Set it where Holdfast runs and try again.',
  },
  pointsAtProduction: {
    kind: 'refused',
    message: (service: string, variable: string, store: string) =>
      `services.${service} was not started: ${variable} points at ${store} of production`,
    guidance: (_service: string, variable: string, store: string) =>
      `Write ${variable}: "\${stores.${store}.url}" in its env, so that each copy gets its own.`,
  },
  serviceEnded: {
    kind: 'failed',
    message: (service: string, how: string, tail: string) =>
      `service ${service} ended by itself (${how})${tail}`,
    guidance: 'Its log in the folder of the copy tells more.',
  },
  serviceUnhealthy: {
    kind: 'failed',
    message: (service: string, waited: string, saw: string) =>
      `service ${service} was not healthy after ${waited}: ${saw}`,
    guidance: 'Its log in the folder of the copy tells more.',
  },
  serviceUserUnknown: {
    kind: 'invalid',
    message: (service: string, user: string) =>
      `services.${service}.user: this host has no user "${user}"`,
    guidance: 'Make that user here, or name one that is.',
  },
  serviceUserRefused: {
    kind: 'refused',
    message: (service: string, user: string, current: string) =>
      `services.${service} can't run as "${user}": Holdfast runs as "${current}", and only root may change users`,
    guidance: 'Run Holdfast as root, or as that user.',
  },
  serviceUnstoppable: {
    kind: 'failed',
    retryable: true,
    message: (service: string, pid: number) => `service ${service} (process ${pid}) doesn't stop`,
    guidance: 'Look at what holds it (a dead disk or network mount), then try again.',
  },
  controlFailed: {
    kind: 'failed',
    retryable: true,
    message: (part: string, action: string, how: string, tail: string) =>
      `${part}.control.${action} ${how}${tail}`,
    guidance: (_part: string, action: string, _how: string, _tail: string) =>
      `Run the command line by hand to see why; nothing was recovered over it. It must exit 0 also where it ${action === 'stop' ? 'is stopped' : 'runs'} already.`,
  },
});
