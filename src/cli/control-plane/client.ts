/** The control plane's API as functions: finds the server, carries the token, turns answers back into errors. */
import createFetchClient from 'openapi-fetch';
import { type ErrorKind, HoldfastError, isHoldfastError, isSameProcess, messageOf } from '#base';
import { errors } from '../errors.ts';
import type { components, paths } from '../generated/api.ts';

export type Schemas = components['schemas'];
export type ControlPlane = ReturnType<typeof connect>;

export type Address = {
  url: string;
  token: string;
  /** Of a server on this host, found by its state folder. */
  pid: number | undefined;
  identity?: string | undefined;
};

/** `HOLDFAST_URL` with `HOLDFAST_TOKEN`, else the server of this user's state folder. Undefined where none runs. */
export async function findControlPlane(
  variables: NodeJS.ProcessEnv = process.env,
): Promise<Address | undefined> {
  const { HOLDFAST_URL: url, HOLDFAST_TOKEN: token } = variables;
  if (url) {
    if (!token) throw errors.tokenMissing([url]);
    return { url, token, pid: undefined };
  }
  const { readRunningServer, readToken, stateFolder } = await import('#app');
  const state = stateFolder(variables);
  const server = await readRunningServer(state);
  if (!server || !(await isSameProcess(server.pid, server.identity))) return undefined;
  const known = await readToken(state);
  const { url: found, pid, identity } = server;
  return known && { url: found, token: known.reveal(), pid, identity };
}

/** Throws `cli/no-control-plane` where none runs. */
export async function theControlPlane(): Promise<ControlPlane> {
  const address = await findControlPlane();
  if (!address) throw errors.noControlPlane([]);
  return connect(address);
}

type Answer<T> = { data?: T; error?: unknown; response: Response };

export function connect(address: Address) {
  const client = createFetchClient<paths>({
    baseUrl: address.url,
    headers: { authorization: `Bearer ${address.token}` },
  });
  const ask = async <T>(asking: Promise<Answer<T>>): Promise<T> => {
    let answer: Answer<T>;
    try {
      answer = await asking;
    } catch (error) {
      // Aborted by us: the reason says so.
      if (isHoldfastError(error)) throw error;
      throw errors.controlPlaneUnreachable([address.url, reasonOf(error)], { cause: error });
    }
    if (answer.error !== undefined || answer.data === undefined) throw failureIn(answer, address);
    return answer.data;
  };
  return { address, client, ask };
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return messageOf(cause instanceof Error && cause.message !== '' ? cause : error);
}

function failureIn(answer: Answer<unknown>, address: Address): HoldfastError {
  const body = answer.error as Partial<Schemas['Failure']> | undefined;
  const told = body?.error;
  if (!told) return errors.controlPlaneStrange([address.url, answer.response.status]);
  const { code, message, guidance, retryable, where, facts } = told;
  return new HoldfastError(
    { code, kind: told.kind as ErrorKind, message, guidance, retryable },
    { ...(where === undefined ? {} : { where }), ...(facts === undefined ? {} : { facts }) },
  );
}
