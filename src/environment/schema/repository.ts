/** Where captures are kept, and what is done by itself to keep that place whole and small. */
import { z } from 'zod';
import { span, text } from './values.ts';

const LATER_KINDS = /^(sftp|rest|b2|azure|gs|swift|rclone):/;
const S3_ADDRESS = /^s3:(?:\/\/)?(?:https?:\/\/)?[^/@?#\s]+\/[^/@?#\s]{3,}[^@?#\s]*$/i;

const url = text
  .refine((given) => !LATER_KINDS.test(given), {
    error: (issue) =>
      `${String(issue.input).split(':')[0]}: not yet; a folder of this machine or a bucket (s3:) is what there is`,
  })
  .refine((given) => !/^s3:/i.test(given) || S3_ADDRESS.test(given), {
    error:
      'is no address of a bucket: write s3:https://HOST[:PORT]/BUCKET[/FOLDER], without name and password',
  })
  .describe(
    'where the repository lies: a folder, absolute or relative to this file, or s3:https://HOST/BUCKET/FOLDER',
  );

const credentialsPart = z
  .strictObject({
    accessKeyId: text.describe('by reference or as it is'),
    secretAccessKey: text.describe('by reference: ${NAME} or ${file:/path}'),
    sessionToken: text.optional().describe('by reference, where the key is a temporary one'),
  })
  .describe(
    'by default the standard chain: environment, profile, web identity, container, machine',
  );

const s3Part = z
  .strictObject({
    region: text
      .optional()
      .describe('by default what the host says, AWS_REGION, AWS_DEFAULT_REGION, us-east-1'),
    addressing: z
      .enum(['path', 'virtual'])
      .optional()
      .describe(
        'the bucket in the path or in the host; by default virtual at Amazon, path elsewhere',
      ),
    ca: text
      .optional()
      .describe('PEM file of who signed the certificate of the server; by default AWS_CA_BUNDLE'),
    credentials: credentialsPart.optional(),
    storageClass: text
      .regex(/^[A-Z][A-Z0-9_]*$/, 'must be a storage class such as STANDARD_IA')
      .optional()
      .describe('of packs of data alone: indexes, trees and snapshots are read often'),
    connections: z.int().min(1).max(64).optional().describe('requests at once; by default 8'),
  })
  .describe('how the bucket is spoken to; only where url begins with s3:');

const DAY_MS = 86_400_000;

const lockDuration = span.refine((ms) => ms % DAY_MS === 0, { error: 'must be whole days' });

const lockPart = z
  .union(
    [
      lockDuration,
      z.strictObject({
        for: lockDuration.describe('how long; extended by itself for what is still needed'),
        mode: z
          .enum(['governance', 'compliance'])
          .default('governance')
          .describe(
            'governance: a special right lifts it; compliance: nobody can before its time, not even you',
          ),
      }),
    ],
    { error: 'must be whole days such as 30d, or {for: 30d, mode: compliance}' },
  )
  .describe(
    'Object Lock: nobody can remove or overwrite what is stored for so long; only in buckets',
  );

const parityPart = z
  .string()
  .regex(/^(none|\d+(\.\d+)?%)$/, 'must be a share such as 3%, or none')
  .refine((given) => given === 'none' || isParityShare(Number.parseFloat(given)), {
    error: 'must lie between 1% and 50%',
  })
  .describe(
    'how much is stored besides each pack so that damage of it can be mended: 3%, or none. By default what the repository is set to',
  );

const isParityShare = (percent: number) => percent >= 1 && percent <= 50;

const checkPart = z
  .strictObject({
    every: span.default(86_400_000).describe('how often the structure is checked; by default 1d'),
    period: span
      .default(30 * 86_400_000)
      .describe('within this all bytes are read once, a part with each check; by default 30d'),
  })
  .refine(({ every, period }) => period >= every, {
    path: ['period'],
    error: 'must not be shorter than every',
  })
  .describe('the check of the repository that runs by itself');

const prunePart = z
  .strictObject({
    every: span.default(86_400_000).describe('how often; by default 1d'),
  })
  .describe('how often what is no longer kept is removed, and its space freed');

export const repositoryPart = z
  .strictObject({
    url,
    password: text.describe('by reference: ${NAME} or ${file:/path}'),
    s3: s3Part.optional(),
    lock: lockPart.optional(),
    parity: parityPart.optional(),
    check: checkPart.prefault({}),
    prune: prunePart.prefault({}),
  })
  .refine(({ url: given, s3 }) => s3 === undefined || /^s3:/i.test(given), {
    path: ['s3'],
    error: 'is for buckets, but url names a folder',
  })
  .refine(({ url: given, lock }) => lock === undefined || /^s3:/i.test(given), {
    path: ['lock'],
    error: 'is for buckets: a folder of this machine can not be locked',
  })
  .describe('the deduplicated, encrypted store of all captures, in the format of restic');

export type DeclaredRepository = z.output<typeof repositoryPart>;
