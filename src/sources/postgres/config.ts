import { z } from 'zod';
import { parseDurationMs, parseSizeBytes } from '#base';

const SMALLEST_RATE_BYTES = 32 * 1024;
const LARGEST_RATE_BYTES = 1024 * 1024 * 1024;

/** `20GiB`, or a number of bytes. */
const size = z.union([z.int().positive(), z.string()]).transform((value, context) => {
  const bytes = typeof value === 'number' ? value : parseSizeBytes(value);
  if (bytes === undefined || bytes <= 0) {
    context.addIssue({ code: 'custom', message: 'a size such as 20GiB' });
    return z.NEVER;
  }
  return bytes;
});

const DAY_MS = 86_400_000;

const interval = z.string().transform((value, context) => {
  const ms = parseDurationMs(value);
  if (ms === undefined || ms <= 0) {
    context.addIssue({ code: 'custom', message: 'must be a duration such as 6h or 1d' });
    return z.NEVER;
  }
  return ms;
});

const base = z.strictObject({
  from: z
    .enum(['production', 'copy'])
    .default('production')
    .describe(
      'production sends all of it; copy: made on this host of the base before and the WAL since, so that production is asked only where there is none to build on. It needs mounts and the binaries of its version',
    ),
  every: interval
    .optional()
    .transform((everyMs) => everyMs ?? DAY_MS)
    .describe('the longer ago a base, the more WAL a recovery must replay; by default 1d'),
});

/** The fields of a `postgres` store of its own in holdfast.yaml. */
export const postgresSchema = z.strictObject({
  url: z.string().min(1).describe('postgresql://user@host:5432/database, secrets by reference'),
  method: z
    .enum(['physical', 'shadow', 'dump'])
    .default('physical')
    .refine((method) => method === 'physical', {
      error: (issue) => `${String(issue.input)}: not yet; physical is what there is`,
    })
    .describe('how it is captured'),
  slotLimit: size
    .optional()
    .describe('WAL that the slot may hold on production before Holdfast gives it up'),
  slot: z
    .string()
    .regex(/^[a-z0-9_]{1,63}$/, 'lower-case letters, digits and _ (at most 63)')
    .optional()
    .describe('name of the replication slot; by default holdfast_<environment>_<stage>_<store>'),
  acceptUnboundedSlot: z
    .boolean()
    .default(false)
    .describe('protect although max_slot_wal_keep_size is -1'),
  maxRate: size
    .refine((bytes) => bytes >= SMALLEST_RATE_BYTES && bytes <= LARGEST_RATE_BYTES, {
      error: 'from 32KiB to 1GiB',
    })
    .optional()
    .describe('bytes a second that a base backup may read from production'),
  chunkSize: size
    .refine((bytes) => bytes % 8192 === 0 && bytes >= 8192 && bytes <= 8 * 2 ** 20, {
      error: 'a multiple of 8KiB up to 8MiB',
    })
    .optional()
    .describe('size of the chunks; by default by the size of the store, from 128KiB'),
  checkpoint: z
    .enum(['fast', 'spread'])
    .default('fast')
    .describe(
      'how a base backup begins: at once, or spread over checkpoint_timeout to spare the disk',
    ),
  base: base.prefault({}).describe('where new bases come from, and how often'),
  verifyPages: z.boolean().default(true).describe('check the checksum of every page captured'),
  synchronousName: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_$]{0,62}$/)
    .default('holdfast')
    .describe('application_name of the stream, for synchronous_standby_names where rpo is 0'),
});

export type PostgresConfig = z.output<typeof postgresSchema>;

export const DEFAULT_SLOT_LIMIT_BYTES = 20 * 2 ** 30;
