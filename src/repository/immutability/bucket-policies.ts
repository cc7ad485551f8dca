/**
 * What a bucket's owner sets so that stolen credentials can harm nothing: rights that only add, rights of maintenance,
 * and rules by which the bucket itself clears away what nobody needs. In the forms that `aws` takes.
 */
import { parseS3Address, type S3Address } from '../storage/s3/address.ts';
import type { FileLock } from '../storage/versions.ts';

export type BucketPolicies = {
  /** Enough for all protection: everything may be added and read, nothing but the repository's own locks removed. */
  appendOnly: PolicyDocument;
  /** For forget, prune and the extension of locks; versions can't be removed by these rights either. */
  maintenance: PolicyDocument;
  lifecycle: { Rules: LifecycleRule[] };
  /** `aws` commands that set versions, locks and rules up. */
  commands: string[];
};

export type PolicyDocument = { Version: '2012-10-17'; Statement: PolicyStatement[] };
export type PolicyStatement = {
  Sid: string;
  Effect: 'Allow' | 'Deny';
  Action: string[];
  Resource: string[];
  Condition?: Record<string, Record<string, string>>;
};
export type LifecycleRule = {
  ID: string;
  Status: 'Enabled';
  Filter: { Prefix: string };
  Expiration?: { Days?: number; ExpiredObjectDeleteMarker?: boolean };
  NoncurrentVersionExpiration?: { NoncurrentDays: number };
};

export type BucketPoliciesOptions = {
  /** What new files are locked with, or are to be; without one, versions alone protect. */
  lock?: FileLock;
  /** How often locks are extended, past the next two times. Default 7 days. */
  everyMs?: number;
  /** Folders of journal pieces, `holdfast/journal/…/pieces/`: append-only credentials can't remove those. */
  pieceFolders?: readonly string[];
};

/** Overwritten and removed versions stay so long where nothing is locked: the time in which somebody may notice. */
const DAYS_TO_NOTICE = 30;

/** A batch replaces pieces within hours. Should batches fail for days, the versions are there as long as all others. */
const PIECE_DAYS = 7;

const DAY_MS = 86_400_000;

const NEVER = [
  's3:DeleteObjectVersion',
  's3:BypassGovernanceRetention',
  's3:PutBucketVersioning',
  's3:PutBucketObjectLockConfiguration',
  's3:PutLifecycleConfiguration',
  's3:PutBucketPolicy',
  's3:DeleteBucket',
];

/** Of the bucket that an `s3:` address names. Throws `s3/address-invalid`. */
export function bucketPolicies(text: string, options: BucketPoliciesOptions = {}): BucketPolicies {
  const address = parseS3Address(text);
  const { lock, everyMs = 7 * DAY_MS } = options;
  const lifecycle = lifecycleOf(address, options);
  const lockDays = lock && Math.max(lock.days, Math.ceil((2 * everyMs) / DAY_MS)) + 1;
  return {
    appendOnly: { Version: '2012-10-17', Statement: statementsOf(address, lockDays, 'locks/*') },
    maintenance: { Version: '2012-10-17', Statement: statementsOf(address, lockDays, '*') },
    lifecycle,
    commands: commandsOf(address, lock),
  };
}

function statementsOf(
  { bucket, prefix }: S3Address,
  lockDays: number | undefined,
  removable: string,
): PolicyStatement[] {
  const all = `arn:aws:s3:::${bucket}`;
  const files = `${all}/${prefix}*`;
  const statements: PolicyStatement[] = [
    {
      Sid: 'Look',
      Effect: 'Allow',
      Action: [
        's3:ListBucket',
        's3:ListBucketVersions',
        's3:GetBucketLocation',
        's3:GetBucketVersioning',
        's3:GetBucketObjectLockConfiguration',
      ],
      Resource: [all],
    },
    {
      Sid: 'ReadAndAdd',
      Effect: 'Allow',
      Action: ['s3:GetObject', 's3:GetObjectVersion', 's3:GetObjectRetention', 's3:PutObject'],
      Resource: [files],
    },
    {
      Sid: 'Remove',
      Effect: 'Allow',
      Action: ['s3:DeleteObject'],
      Resource: [`${all}/${prefix}${removable}`],
    },
    { Sid: 'Never', Effect: 'Deny', Action: NEVER, Resource: [all, `${all}/*`] },
  ];
  if (lockDays !== undefined) statements.splice(2, 0, lockStatement(files, lockDays));
  return statements;
}

/** Not for longer than is needed: else a thief could make us pay for ever. */
function lockStatement(files: string, days: number): PolicyStatement {
  return {
    Sid: 'Lock',
    Effect: 'Allow',
    Action: ['s3:PutObjectRetention'],
    Resource: [files],
    Condition: {
      NumericLessThanEquals: { 's3:object-lock-remaining-retention-days': String(days) },
    },
  };
}

function lifecycleOf(
  { prefix }: S3Address,
  { lock, pieceFolders = [] }: BucketPoliciesOptions,
): { Rules: LifecycleRule[] } {
  const days = Math.max(lock?.days ?? DAYS_TO_NOTICE, 1);
  const old: LifecycleRule = {
    ID: 'holdfast-old-versions',
    Status: 'Enabled',
    Filter: { Prefix: prefix },
    Expiration: { ExpiredObjectDeleteMarker: true },
    NoncurrentVersionExpiration: { NoncurrentDays: days },
  };
  const pieces = pieceFolders.map(
    (folder, i): LifecycleRule => ({
      ID: `holdfast-journal-pieces-${i + 1}`,
      Status: 'Enabled',
      Filter: { Prefix: prefix + folder },
      Expiration: { Days: PIECE_DAYS },
    }),
  );
  return { Rules: [old, ...pieces] };
}

function commandsOf({ bucket, endpoint, isAws }: S3Address, lock: FileLock | undefined): string[] {
  const aws = (words: string) =>
    `aws s3api ${words}${isAws ? '' : ` --endpoint-url ${endpoint}`} --bucket ${bucket}`;
  const commands = [`${aws('put-bucket-versioning')} --versioning-configuration Status=Enabled`];
  if (lock) {
    const rule = {
      ObjectLockEnabled: 'Enabled',
      Rule: { DefaultRetention: { Mode: lock.mode.toUpperCase(), Days: lock.days } },
    };
    commands.push(
      `${aws('put-object-lock-configuration')} --object-lock-configuration '${JSON.stringify(rule)}'`,
    );
  }
  commands.push(
    `${aws('put-bucket-lifecycle-configuration')} --lifecycle-configuration file://lifecycle.json`,
  );
  return commands;
}
