/** Options of storages as words, `s3.region=eu-north-1`: for command lines, in the manner of restic. */
import { s3Errors } from './s3/errors.ts';
import type { S3Options } from './s3/options.ts';
import type { FileLock } from './versions.ts';

const MAX_CONNECTIONS = 256;
const MAX_LOCK_DAYS = 36_500;

type Setter = (value: string, name: string) => S3Options;

const setters: Record<string, Setter> = {
  's3.region': (region) => ({ region }),
  's3.addressing': (value, name) => ({ addressing: oneOf(value, ['path', 'virtual'], name) }),
  's3.ca': (caFile) => ({ caFile }),
  's3.storage-class': (storageClass) => ({ storageClass }),
  's3.connections': (value, name) => ({ connections: count(value, MAX_CONNECTIONS, name) }),
  's3.lock': (value, name) => ({ lock: lockOf(value, name) }),
};

/** What may be said, for `--help`. */
export const STORAGE_OPTION_NAMES: readonly string[] = Object.keys(setters);

/** Later words win. Throws `s3/option-invalid`. */
export function storageOptionsOf(words: readonly string[]): { s3?: S3Options } {
  if (words.length === 0) return {};
  let s3: S3Options = {};
  for (const word of words) {
    const [name = '', ...rest] = word.split('=');
    const set = setters[name];
    const value = rest.join('=');
    if (!set) {
      throw s3Errors.optionInvalid([
        name,
        `there is none of this name, but ${STORAGE_OPTION_NAMES.join(', ')}`,
      ]);
    }
    if (value === '') throw s3Errors.optionInvalid([name, `write ${name}=VALUE`]);
    s3 = { ...s3, ...set(value, name) };
  }
  return { s3 };
}

function oneOf<const T extends string>(value: string, allowed: readonly T[], name: string): T {
  const found = allowed.find((each) => each === value);
  if (found !== undefined) return found;
  throw s3Errors.optionInvalid([name, `it is one of ${allowed.join(', ')}`]);
}

function count(value: string, most: number, name: string): number {
  const number = Number(value);
  if (Number.isInteger(number) && number >= 1 && number <= most) return number;
  throw s3Errors.optionInvalid([name, `it is a number from 1 to ${most}`]);
}

/** `compliance:30d`, `governance:7d`. */
function lockOf(value: string, name: string): FileLock {
  const [mode = '', span = ''] = value.split(':');
  const days = /^(\d+)d$/.exec(span)?.[1];
  if (days === undefined) {
    throw s3Errors.optionInvalid([name, 'write compliance:30d or governance:30d']);
  }
  return {
    mode: oneOf(mode, ['compliance', 'governance'], name),
    days: count(days, MAX_LOCK_DAYS, name),
  };
}
