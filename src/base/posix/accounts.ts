/** Users and groups of this host, by whatever its name service knows (files, LDAP). */
import { libcFunction, loadKoffi, systemError } from './libc.ts';

export type UserAccount = { name: string; uid: number; gid: number; home: string };

type PasswdOut = { pw_name: string; pw_uid: number; pw_gid: number; pw_dir: string };
type GroupOut = { gr_name: string; gr_gid: number };
type Found = [unknown];

// Large enough for a group with thousands of members; the call says ERANGE beyond, which reads as "not known".
const BUFFER_BYTES = 1 << 17;
const userNames = new Map<number, string>();
const groupNames = new Map<number, string>();

let structuresDeclared = false;
function declareStructures(): void {
  if (structuresDeclared) return;
  structuresDeclared = true;
  const koffi = loadKoffi();
  koffi.struct('holdfast_passwd', {
    pw_name: 'char *',
    pw_passwd: 'char *',
    pw_uid: 'uint32_t',
    pw_gid: 'uint32_t',
    pw_gecos: 'char *',
    pw_dir: 'char *',
    pw_shell: 'char *',
  });
  koffi.struct('holdfast_group', {
    gr_name: 'char *',
    gr_passwd: 'char *',
    gr_gid: 'uint32_t',
    gr_members: 'void *',
  });
}

const PASSWD_REST = '_Out_ holdfast_passwd *entry, void *buffer, size_t size, _Out_ void **found)';
const GROUP_REST = '_Out_ holdfast_group *entry, void *buffer, size_t size, _Out_ void **found)';
const getpwuid = libcFunction<[number, PasswdOut, Buffer, number, Found]>(
  `int getpwuid_r(uint32_t uid, ${PASSWD_REST}`,
);
const getpwnam = libcFunction<[string, PasswdOut, Buffer, number, Found]>(
  `int getpwnam_r(const char *name, ${PASSWD_REST}`,
);
const getgrnam = libcFunction<[string, GroupOut, Buffer, number, Found]>(
  `int getgrnam_r(const char *name, ${GROUP_REST}`,
);
const getgrgid = libcFunction<[number, GroupOut, Buffer, number, Found]>(
  `int getgrgid_r(uint32_t gid, ${GROUP_REST}`,
);

/** The user's name, or '' where nobody has this id. Remembered for the life of the process. */
export function userName(uid: number): string {
  return remembered(userNames, uid, () => {
    const entry = {} as PasswdOut;
    return lookUp((found, buffer) => getpwuid(uid, entry, buffer, BUFFER_BYTES, found))
      ? entry.pw_name
      : '';
  });
}

/** The group's name, or '' where none has this id. Remembered for the life of the process. */
export function groupName(gid: number): string {
  return remembered(groupNames, gid, () => {
    const entry = {} as GroupOut;
    return lookUp((found, buffer) => getgrgid(gid, entry, buffer, BUFFER_BYTES, found))
      ? entry.gr_name
      : '';
  });
}

/** Ids and the names that were found for them in this process ('' for none), users and groups. */
export function lookedUpNames(): { users: [number, string][]; groups: [number, string][] } {
  return { users: [...userNames], groups: [...groupNames] };
}

/** An account by name, or undefined where there is none. */
export function findUser(name: string): UserAccount | undefined {
  const entry = {} as PasswdOut;
  if (!lookUp((found, buffer) => getpwnam(name, entry, buffer, BUFFER_BYTES, found))) {
    return undefined;
  }
  return { name: entry.pw_name, uid: entry.pw_uid, gid: entry.pw_gid, home: entry.pw_dir };
}

/** The number of a group by its name, or undefined where there is none. */
export function findGroupId(name: string): number | undefined {
  const entry = {} as GroupOut;
  return lookUp((found, buffer) => getgrnam(name, entry, buffer, BUFFER_BYTES, found))
    ? entry.gr_gid
    : undefined;
}

function lookUp(call: (found: Found, buffer: Buffer) => number): boolean {
  // The layout of the entries differs elsewhere; there, ids alone are recorded.
  if (process.platform !== 'linux') return false;
  declareStructures();
  const found: Found = [null];
  const errno = call(found, Buffer.allocUnsafe(BUFFER_BYTES));
  // POSIX lets "not known" be 0 without an entry, ENOENT, ESRCH, EBADF or EPERM; EIO and ENFILE are real failures.
  if (errno === 5 || errno === 23) throw systemError('getpwnam_r', errno);
  return errno === 0 && found[0] !== null;
}

function remembered(names: Map<number, string>, id: number, find: () => string): string {
  let name = names.get(id);
  if (name === undefined) {
    name = find();
    names.set(id, name);
  }
  return name;
}
