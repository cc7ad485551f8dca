/** Addresses of repositories in buckets, in the forms that restic takes. */
import { s3Errors } from './errors.ts';

export type S3Address = {
  /** `https://host:port` */
  endpoint: string;
  bucket: string;
  /** Ends with `/`, or is empty. */
  prefix: string;
  /** As restic would take it; free of secrets. */
  location: string;
  /** Amazon's own service: its hosts tell the region, and buckets are parts of host names. */
  isAws: boolean;
  /** What the host's name says, where it does. */
  region: string | undefined;
};

const FORMS =
  'Write `s3:https://HOST[:PORT]/BUCKET[/FOLDER]`, `s3:HOST/BUCKET` or `s3:s3.amazonaws.com/BUCKET`.';
const AWS_HOST = /(^|\.)amazonaws\.com(\.cn)?$/;
const AWS_REGION = /^s3[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?$/;

/** `s3:http://…`, `s3:https://…`, `s3://host/…`, `s3:host/…`. Throws `s3/address-invalid`; never repeats a password. */
export function parseS3Address(text: string): S3Address {
  if (!/^s3:/i.test(text)) throw s3Errors.addressInvalid(['it begins with no `s3:`', FORMS]);
  const rest = text.replace(/^s3:/i, '').replace(/^\/\//, '');
  const full = /^https?:\/\//i.test(rest) ? rest : `https://${rest}`;
  const url = parseUrl(full);
  if (url.username || url.password) {
    throw s3Errors.addressInvalid([
      'it holds a name or password',
      'Give credentials by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
    ]);
  }
  // As it is written: a URL's own path has lost what would lead elsewhere.
  const path = full.replace(/^https?:\/\/[^/]*/i, '');
  if (/[?#%\\\0-\x1f]/.test(path)) {
    throw s3Errors.addressInvalid(['its path holds `?`, `#`, `%` or the like', FORMS]);
  }
  const [bucket, ...folders] = path.split('/').filter((part) => part !== '');
  if (bucket === undefined) throw s3Errors.addressInvalid(['it names no bucket', FORMS]);
  if (!/^[a-zA-Z0-9][a-zA-Z0-9._-]{2,62}$/.test(bucket)) {
    throw s3Errors.addressInvalid([`"${bucket}" can't be a bucket's name`, FORMS]);
  }
  if (folders.some((part) => part === '.' || part === '..')) {
    throw s3Errors.addressInvalid(['it holds `.` or `..`', FORMS]);
  }
  const endpoint = url.origin;
  return {
    endpoint,
    bucket,
    prefix: folders.map((part) => `${part}/`).join(''),
    location: `s3:${[endpoint, bucket, ...folders].join('/')}`,
    isAws: AWS_HOST.test(url.hostname),
    region: AWS_REGION.exec(url.hostname)?.[1],
  };
}

function parseUrl(text: string): URL {
  try {
    return new URL(text);
  } catch {
    throw s3Errors.addressInvalid(['it names no host', FORMS]);
  }
}
