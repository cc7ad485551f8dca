import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import { promisify } from 'node:util';
import { findUser, userName } from '#base';
import { errors } from '../errors.ts';

/** Who runs a server and owns its files. Undefined ids: the current user, nothing to change. */
export type OsUser = { name: string; uid: number; gid: number; isCurrent: boolean };

const execute = promisify(execFile);

/**
 * The user that runs a recovered server. Postgres refuses to run as root, so root must hand over to somebody: to the
 * named owner, else to whom the directory belongs, else to `postgres`.
 * @throws postgres/os-user-missing
 */
export async function serverUser(owner: string | undefined, directory: string): Promise<OsUser> {
  const current = os.userInfo();
  if (current.uid !== 0) {
    if (owner !== undefined && owner !== current.username) {
      throw errors.osUserRefused([owner, current.username]);
    }
    return { name: current.username, uid: current.uid, gid: current.gid, isCurrent: true };
  }
  if (owner !== undefined) return namedUser(owner);
  const { uid } = await fs.stat(directory);
  return namedUser(uid === 0 ? 'postgres' : String(uid));
}

/** Looks a user up by name or number as the system does (files, LDAP, …). */
async function namedUser(nameOrUid: string): Promise<OsUser> {
  // Within this process, which takes no time; what it doesn't know, or knew by another name, is asked for outside.
  const known = findUser(/^\d+$/.test(nameOrUid) ? userName(Number(nameOrUid)) : nameOrUid);
  if (known && known.uid !== 0) {
    return { name: known.name, uid: known.uid, gid: known.gid, isCurrent: false };
  }
  const line = await passwdLine(nameOrUid);
  if (line === undefined) throw errors.osUserMissing([nameOrUid]);
  const [name = '', , uid, gid] = line.split(':');
  if (Number(uid) === 0) throw errors.osUserMissing([name]);
  return { name, uid: Number(uid), gid: Number(gid), isCurrent: false };
}

async function passwdLine(nameOrUid: string): Promise<string | undefined> {
  try {
    const { stdout } = await execute('getent', ['passwd', '--', nameOrUid]);
    return stdout.trim();
  } catch {
    // getent is missing or knows nobody of that name: the file is what is left.
    const lines = (await fs.readFile('/etc/passwd', 'utf8')).split('\n');
    return lines.find((line) => {
      const [name, , uid] = line.split(':');
      return name === nameOrUid || uid === nameOrUid;
    });
  }
}

/** The part of `spawn`'s options that makes a child run as this user. */
export function runAs(user: OsUser): { uid?: number; gid?: number } {
  return user.isCurrent ? {} : { uid: user.uid, gid: user.gid };
}
