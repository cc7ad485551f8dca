/**
 * The runtime of this machine: each service of a copy is a process group of its own that outlives Holdfast, with its
 * log in the copy's folder. It starts nothing that leads back to production.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import {
  formatDuration,
  freePort,
  isPortFree,
  messageOf,
  processIdentity,
  sleepMs,
  systemClock,
} from '#base';
import type { CopyBindings } from '../bindings.ts';
import { resolveBindings } from '../bindings.ts';
import { errors } from '../errors.ts';
import type { Environment, Service } from '../model.ts';
import { replaceReferences, type Surroundings } from '../references.ts';
import { lastLines } from './last-lines.ts';
import { MARK_VARIABLE, markedProcesses } from './marked-processes.ts';
import { type ServiceEnvironment, serviceEnvironment } from './service-environment.ts';
import { serviceUser } from './service-user.ts';
import { formatStarted, isAlive, parseStarted, stopProcesses } from './stop.ts';

/** What `start` returns and `stop` takes, also after a restart of Holdfast. */
export type StartedService = {
  name: string;
  pid: number;
  /** Identity of the process besides its number; not for people. */
  startedAt: string;
  port?: number;
  url: string;
};

export interface ProcessRuntime {
  /** Starts one service against the recovered stores; resolves when it is healthy. What ran of it here before is ended. */
  start(service: string, bindings: CopyBindings): Promise<StartedService>;
  isRunning(running: StartedService): Promise<boolean>;
  /** Idempotent; never ends a process that merely got the number. */
  stop(running: StartedService): Promise<void>;
  /** Ends all that was started for the copy with this scratch folder, also what nobody got to know of. Idempotent. */
  stopAll(scratch: string): Promise<void>;
}

export type ProcessRuntimeOptions = {
  environment: Environment;
  signal?: AbortSignal;
  /** How long a service may take to be healthy. */
  healthTimeoutMs?: number;
  /** Where `${NAME}` is looked up; by default the environment of this process. */
  variables?: Readonly<Record<string, string | undefined>>;
};

const HEALTH_TIMEOUT_MS = 60_000;
/** A service without a health address counts as up when it lived so long. */
const STAYS_UP_MS = 700;
const LOOK_EVERY_MS = 60;
const ATTEMPTS = 3;

export function createProcessRuntime(options: ProcessRuntimeOptions): ProcessRuntime {
  const { environment } = options;
  const surroundings: Surroundings = {
    variables: options.variables ?? process.env,
    folder: environment.folder,
  };
  return {
    async start(name, bindings) {
      const service = environment.services.find((each) => each.name === name);
      if (service === undefined) throw errors.serviceUnknown([name]);
      if (service.run === undefined) throw errors.serviceWithoutRun([name]);
      await fs.mkdir(bindings.scratch, { recursive: true, mode: 0o700 });
      const mark = markOf(bindings.scratch, name);
      await stopProcesses({ pid: 0, mark, began: '' });
      for (let attempt = 1; ; attempt += 1) {
        const port = await freePort();
        const prepared = serviceEnvironment(service, environment, bindings, port, surroundings);
        try {
          return await startOnce({
            service,
            bindings,
            port,
            mark,
            prepared,
            surroundings,
            options,
          });
        } catch (error) {
          // Another process may have taken the port between looking and listening.
          const mayRetry = attempt < ATTEMPTS && !options.signal?.aborted;
          if (!mayRetry || (await isPortFree(port))) throw error;
        }
      }
    },
    isRunning: (running) => isAlive(parseStarted(running.pid, running.startedAt)),
    async stop(running) {
      if (await stopProcesses(parseStarted(running.pid, running.startedAt))) return;
      throw errors.serviceUnstoppable([running.name, running.pid]);
    },
    async stopAll(scratch) {
      const mark = copyMark(scratch);
      if (await stopProcesses({ pid: 0, mark, began: '' })) return;
      const [pid] = await markedProcesses(mark);
      if (pid === undefined) return;
      throw errors.serviceUnstoppable([`of ${path.basename(path.dirname(scratch))}`, pid]);
    },
  };
}

type Start = {
  service: Service;
  bindings: CopyBindings;
  port: number;
  mark: string;
  prepared: ServiceEnvironment;
  surroundings: Surroundings;
  options: ProcessRuntimeOptions;
};

async function startOnce(start: Start): Promise<StartedService> {
  const { service, bindings, port, mark, prepared, surroundings, options } = start;
  const subject = `services.${service.name}.health`;
  const health =
    service.health && resolveBindings(service.health, { ...bindings, port }, surroundings, subject);
  const log = path.join(bindings.scratch, `${service.name}.log`);
  const { child, ended } = await spawnService(start, log);
  const pid = child.pid as number;
  const started = { pid, mark, began: (await processIdentity(pid)) ?? '' };
  try {
    const deadlineMs = options.healthTimeoutMs ?? HEALTH_TIMEOUT_MS;
    await waitUntilUp(service.name, health || undefined, deadlineMs, ended, options.signal);
  } catch (error) {
    await stopProcesses(started, 1_000);
    if (!(error instanceof NotUp)) throw error;
    const tail = await lastLines(log, prepared.secrets);
    throw error.kind === 'ended'
      ? errors.serviceEnded([service.name, error.message, tail])
      : errors.serviceUnhealthy([service.name, error.waited, `${error.message}${tail}`]);
  }
  child.unref();
  const url = health ? new URL(health).origin : `http://127.0.0.1:${port}`;
  return { name: service.name, pid, startedAt: formatStarted(started), port, url };
}

async function spawnService(
  { service, bindings, port, mark, prepared }: Start,
  log: string,
): Promise<{ child: ChildProcess; ended: Promise<string> }> {
  const [command, ...words] = commandOf(service, bindings, port);
  const user = serviceUser(service);
  const output = await fs.open(log, 'a', 0o600);
  try {
    const child = spawn(command as string, words, {
      cwd: service.cwd,
      env: { ...prepared.variables, ...user.variables, [MARK_VARIABLE]: mark },
      ...user.ids,
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
    });
    const ended = new Promise<string>((resolve) => {
      child.once('exit', (code, signal) => resolve(signal ?? `exit ${code}`));
      child.once('error', (error) => resolve(messageOf(error)));
    });
    if (child.pid === undefined) throw errors.serviceEnded([service.name, await ended, '']);
    return { child, ended };
  } finally {
    await output.close();
  }
}

/** `${port}` and addresses of services are put in; what else looks like a reference is the shell's. */
function commandOf(service: Service, bindings: CopyBindings, port: number): string[] {
  const resolved = (line: string) =>
    replaceReferences(line, (reference) => {
      if (reference.kind === 'port') return String(port);
      if (reference.kind !== 'service') return reference.text;
      const url = bindings.services[reference.name]?.url;
      if (url !== undefined) return url;
      throw errors.bindingUnknown([`services.${service.name}.run`, reference.text]);
    });
  const { run } = service;
  return typeof run === 'string' ? ['/bin/sh', '-c', resolved(run)] : (run ?? []).map(resolved);
}

class NotUp extends Error {
  readonly kind: 'ended' | 'unhealthy';
  readonly waited: string;
  constructor(kind: 'ended' | 'unhealthy', message: string, waitedMs: number) {
    super(message);
    this.kind = kind;
    this.waited = formatDuration(waitedMs);
  }
}

async function waitUntilUp(
  name: string,
  health: string | undefined,
  deadlineMs: number,
  ended: Promise<string>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const begunMs = systemClock.monotonicMs();
  const waitedMs = () => systemClock.monotonicMs() - begunMs;
  let how: string | undefined;
  void ended.then((what) => {
    how = what;
  });
  let saw = `${name} did not answer`;
  for (;;) {
    if (how !== undefined) throw new NotUp('ended', how, waitedMs());
    if (health === undefined) {
      if (waitedMs() >= STAYS_UP_MS) return;
    } else {
      const answer = await ask(health, signal);
      if (answer === undefined) return;
      saw = answer;
    }
    if (health !== undefined && waitedMs() > deadlineMs) {
      throw new NotUp('unhealthy', saw, waitedMs());
    }
    await sleepMs(LOOK_EVERY_MS, signal);
  }
}

/** Undefined where it is healthy, else what was seen. */
async function ask(health: string, signal: AbortSignal | undefined): Promise<string | undefined> {
  const timeout = AbortSignal.timeout(2_000);
  try {
    const response = await fetch(health, {
      redirect: 'manual',
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    await response.body?.cancel();
    return response.ok ? undefined : `${new URL(health).pathname} answered ${response.status}`;
  } catch (error) {
    signal?.throwIfAborted();
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return timeout.aborted ? 'no answer within 2s' : messageOf(cause) || 'no answer';
  }
}

/** The same for the same copy and service, so that what an earlier Holdfast started is found again. */
function markOf(scratch: string, service: string): string {
  return `${copyMark(scratch)}.${service}`;
}

function copyMark(scratch: string): string {
  return createHash('sha256').update(path.resolve(scratch)).digest('hex').slice(0, 24);
}
