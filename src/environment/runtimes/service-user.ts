/** The user of this host that a copy of a service runs as. */
import os from 'node:os';
import { findUser } from '#base';
import { errors } from '../errors.ts';
import type { Service } from '../model.ts';

export type ServiceUser = {
  /** For `spawn`; empty where it is the user that runs Holdfast. */
  ids: { uid?: number; gid?: number };
  /** What a program reads of its user, where the service's `env` doesn't say it. */
  variables: Record<string, string>;
};

/** Throws `service-user-unknown`, and `service-user-refused` where only root could change to it. */
export function serviceUser({ name: service, user: wanted, env }: Service): ServiceUser {
  if (wanted === undefined) return { ids: {}, variables: {} };
  const account = findUser(wanted);
  if (!account) throw errors.serviceUserUnknown([service, wanted]);
  const { name, uid, gid, home } = account;
  const current = os.userInfo();
  if (uid === current.uid) return { ids: {}, variables: {} };
  if (current.uid !== 0) throw errors.serviceUserRefused([service, wanted, current.username]);
  const variables = Object.entries({ HOME: home, USER: name, LOGNAME: name });
  return {
    ids: { uid, gid },
    variables: Object.fromEntries(variables.filter(([variable]) => !Object.hasOwn(env, variable))),
  };
}
