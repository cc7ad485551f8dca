/**
 * The C library, loaded at the first call: nothing of it costs a start of the CLI. All calls are synchronous and take
 * paths as raw bytes, because a name on a POSIX file system needn't be text.
 */
import { createRequire } from 'node:module';
import { getSystemErrorMap, getSystemErrorName } from 'node:util';

type Koffi = typeof import('koffi');

let loaded: { koffi: Koffi; libc: ReturnType<Koffi['load']> } | undefined;

function load(): NonNullable<typeof loaded> {
  if (loaded) return loaded;
  const koffi = createRequire(import.meta.url)('koffi') as Koffi;
  loaded = { koffi, libc: koffi.load(null) };
  return loaded;
}

export function loadKoffi(): Koffi {
  return load().koffi;
}

/** A function of the C library by its prototype in C, looked up when it is first called. */
export function libcFunction<Arguments extends readonly unknown[]>(
  prototype: string,
): (...args: Arguments) => number {
  let found: ((...args: unknown[]) => unknown) | undefined;
  return (...args) => {
    found ??= load().libc.func(prototype);
    return Number(found(...args));
  };
}

/** `errno` of this thread's last call. */
export function lastErrno(): number {
  return load().koffi.errno();
}

/** The path as C wants it. Throws EINVAL where it holds a NUL: C would silently cut it there. */
export function cPath(path: Buffer): Buffer {
  if (path.includes(0)) throw systemError('path', 22, path);
  const terminated = Buffer.allocUnsafe(path.length + 1);
  path.copy(terminated);
  terminated[path.length] = 0;
  return terminated;
}

/** An error of the shape that Node gives to its own system errors: `code`, `errno`, `syscall`, `path`. */
export function systemError(syscall: string, errno: number, path?: Buffer): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno);
  const text = getSystemErrorMap().get(-errno)?.[1] ?? 'unknown error';
  const at = path === undefined ? '' : ` '${path.toString()}'`;
  const error: NodeJS.ErrnoException = new Error(`${code}: ${text}, ${syscall}${at}`);
  error.code = code;
  error.errno = -errno;
  error.syscall = syscall;
  if (path !== undefined) error.path = path.toString();
  return error;
}

/** Throws the system error where the call answered below zero; else hands the answer on. */
export function checkedCall(answer: number, syscall: string, path?: Buffer): number {
  if (answer < 0) throw systemError(syscall, lastErrno(), path);
  return answer;
}
