/** What a server or the way to it answered, in our words; and whether the same may pass when it is tried again. */
import { HoldfastError, messageOf, systemCode } from '#base';
import { errors } from '../../errors.ts';
import type { S3Address } from './address.ts';
import { s3Errors } from './errors.ts';

export type Failed = {
  operation: string;
  name: string;
  address: S3Address;
  /** The server has answered before: who doesn't listen now may be starting again. */
  wasReached: boolean;
};

/** What the SDK throws, as far as it is read here. */
type Thrown = {
  name?: string;
  Code?: string;
  $metadata?: { httpStatusCode?: number };
  $response?: { headers?: Record<string, string> };
};

const CREDENTIALS = new Set([
  ...[
    'InvalidAccessKeyId',
    'SignatureDoesNotMatch',
    'InvalidToken',
    'ExpiredToken',
    'TokenRefreshRequired',
  ],
  ...['InvalidSecurity', 'NotSignedUp', 'AccountProblem', 'UserSuspended'],
]);
const ELSEWHERE = new Set([
  ...['PermanentRedirect', 'TemporaryRedirect', 'AuthorizationHeaderMalformed'],
  ...['IllegalLocationConstraintException', 'WrongRegion'],
]);
/** Bytes were changed on the way: the next ones may not be. */
const GARBLED = new Set([
  'BadDigest',
  'InvalidDigest',
  'XAmzContentSHA256Mismatch',
  'IncompleteBody',
]);
const PASSING = new Set([
  ...['SlowDown', 'Throttling', 'ThrottlingException', 'RequestLimitExceeded', 'TooManyRequests'],
  ...[
    'RequestTimeout',
    'InternalError',
    'ServiceUnavailable',
    'OperationAborted',
    'ConditionalRequestConflict',
  ],
]);
const FULL = new Set(['QuotaExceeded', 'InsufficientStorage', 'XMinioStorageFull', 'StorageFull']);

/** `NotFound` is what the SDK calls an answer to HEAD. */
const ABSENT = new Set(['NoSuchKey', 'NoSuchVersion', 'NotFound']);

export function statusOf(error: unknown): number | undefined {
  return (error as Thrown | undefined)?.$metadata?.httpStatusCode;
}

export function codeOf(error: unknown): string {
  const thrown = error as Thrown | undefined;
  return thrown?.Code ?? thrown?.name ?? '';
}

/** Never holds a header, a signature or a key: the cause is the message alone. */
export function s3Failure(error: unknown, failed: Failed): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const { operation, name, address } = failed;
  const { location } = address;
  const detail = { cause: new Error(`${codeOf(error)}: ${messageOf(error)}`) };
  const code = codeOf(error);
  if (ABSENT.has(code)) return errors.notInStorage([name, location], detail);
  if (code === 'NoSuchBucket')
    return s3Errors.bucketMissing([address.bucket, address.endpoint], detail);
  if (code === 'CredentialsProviderError') return s3Errors.credentialsMissing([location], detail);
  if (CREDENTIALS.has(code)) return s3Errors.credentialsRefused([location, code], detail);
  if (code === 'RequestTimeTooSkewed') return s3Errors.clockSkewed([location], detail);
  if (ELSEWHERE.has(code) || statusOf(error) === 301) {
    return s3Errors.elsewhere([location, regionIn(error)], detail);
  }
  if (FULL.has(code) || statusOf(error) === 507) return errors.storageFull([location], detail);
  if (code === 'InvalidObjectState') return s3Errors.archived([name, location], detail);
  if (code === 'AccessDenied' || statusOf(error) === 403) {
    return s3Errors.denied([operation, name, location], detail);
  }
  return statusOf(error) === undefined
    ? connectionFailure(error, failed)
    : answerFailure(error, failed);
}

function answerFailure(error: unknown, { operation, name, address }: Failed): HoldfastError {
  const code = codeOf(error);
  const status = statusOf(error) as number;
  const why = `${code} (${status})`;
  const detail = { cause: new Error(`${code}: ${messageOf(error)}`) };
  const passes =
    status >= 500 || status === 429 || status === 408 || PASSING.has(code) || GARBLED.has(code);
  return passes
    ? errors.storageFailed([operation, name, address.location, why], detail)
    : s3Errors.rejected([operation, name, address.location, why], detail);
}

/** No answer came at all. */
function connectionFailure(
  error: unknown,
  { operation, name, address, wasReached }: Failed,
): HoldfastError {
  const code = systemCode(error) ?? codeOf(error);
  const { location } = address;
  const detail = { cause: new Error(messageOf(error)) };
  if (code === 'ENOTFOUND')
    return s3Errors.hostUnknown([location, new URL(address.endpoint).host], detail);
  if (/CERT|^UNABLE_TO|^DEPTH_ZERO|^HOSTNAME_MISMATCH/.test(code)) {
    return s3Errors.certificateRefused([location, messageOf(error)], detail);
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL')) return s3Errors.notTls([location], detail);
  if (code === 'ECONNREFUSED' && !wasReached) return s3Errors.unreachable([location], detail);
  if (code === 'TimeoutError' || code === 'ETIMEDOUT') {
    return errors.storageTimeout([operation, name, location], detail);
  }
  return errors.storageFailed([operation, name, location, messageOf(error)], detail);
}

function regionIn(error: unknown): string {
  const headers = (error as Thrown).$response?.headers ?? {};
  return headers['x-amz-bucket-region'] ?? '';
}
