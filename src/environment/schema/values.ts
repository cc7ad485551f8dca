/** The kinds of values that several parts of holdfast.yaml share. */
import { z } from 'zod';
import { parseDurationMs, parseSizeBytes } from '#base';

/** Words that older readers of YAML take for true, false or nothing when they stand unquoted. */
const YAML_1_1_WORDS = /^(?:y|n|yes|no|on|off|true|false|null)$/;

/** `orders`, `upload-store`: what stores, services and checks are called. */
export const name = z
  .string()
  .max(40, 'is longer than 40 letters')
  .regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/, 'must be of a-z, 0-9 and - (not at its ends)')
  .refine((text) => !YAML_1_1_WORDS.test(text), {
    error: (issue) =>
      `can't be called ${String(issue.input)}: many readers of YAML take it for true or false`,
  });

/** `5s`, `30m`, `30d`, or 0; ms in the model. */
export const duration = z
  .union(
    [
      z.literal(0),
      z.string().regex(/^(0|(\d+(\.\d+)?(ms|[smhdwy]))+)$/, 'must be a duration such as 5s or 30d'),
    ],
    { error: 'must be a duration such as 5s, 30m or 30d' },
  )
  .transform((value) => parseDurationMs(String(value)) ?? 0);

/** A duration that must be longer than nothing. */
export const span = duration.refine((ms) => ms > 0, { error: 'must be longer than 0' });

export const text = z.string().min(1, 'is empty');

/** `64MiB`, `1.5G`; bytes in the model. */
export const size = z
  .string()
  .transform((value) => parseSizeBytes(value) ?? 0)
  .refine((bytes) => bytes > 0, { error: 'must be a size such as 64MiB or 2G' });

/** A line for `sh -c`. */
export const commandLine = text.max(8_192, 'is longer than 8192 letters');
