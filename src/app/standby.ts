/** What a control plane answers while another one leads: who does, and nothing else. */
import type pg from 'pg';
import { readOwnership } from '#catalog';
import type { Operations, ServerSummary, ShutdownRequest } from '#server';
import { errors } from './errors.ts';

export type StandbyOptions = {
  pool: pg.Pool;
  server: Pick<ServerSummary, 'version' | 'pid' | 'startedAtMs' | 'stateFolder'>;
  onShutdown(request: ShutdownRequest): void;
};

/** As the catalog tells it. */
export async function whoLeads(pool: pg.Pool): Promise<string> {
  return (await readOwnership(pool))?.holder ?? 'one that is just starting';
}

/** Every other operation rejects with `app/standing-by`. */
export function standbyOperations(options: StandbyOptions): Operations {
  const { pool, onShutdown } = options;
  const own: Partial<Operations> = {
    async server() {
      const leader = await readOwnership(pool);
      return {
        ...options.server,
        controlPlane: leader?.id ?? '',
        epoch: (leader?.epoch ?? 0n).toString(),
        standsBy: await whoLeads(pool),
      };
    },
    // After the answer is on its way.
    shutdown: async (request) => {
      setImmediate(() => onShutdown(request));
    },
  };
  const refuse = async () => {
    throw errors.standingBy([await whoLeads(pool)]);
  };
  return new Proxy(own as Operations, {
    get: (known, name) => Reflect.get(known, name) ?? refuse,
  });
}

/** Operations that can be exchanged while the API serves. */
export type Spoken = { operations: Operations };

export function asSpoken(spoken: Spoken): Operations {
  return new Proxy({} as Operations, {
    get: (_none, name) => Reflect.get(spoken.operations, name),
  });
}
