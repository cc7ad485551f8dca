/** The fields of a `files` store in holdfast.yaml. */
import path from 'node:path';
import { z } from 'zod';
import { parseDurationMs } from '#base';

const absolutePath = z.string().refine((text) => path.isAbsolute(text) && !text.includes('\0'), {
  message: 'must be an absolute path, for example /srv/media',
});

const duration = z.string().refine((text) => parseDurationMs(text) !== undefined, {
  message: 'must be a duration, for example 5m',
});

const hooksSchema = z
  .strictObject({
    before: z
      .string()
      .min(1)
      .describe(
        'Command line for sh, run before reading: makes and mounts a snapshot of the volume',
      ),
    after: z
      .string()
      .min(1)
      .optional()
      .describe('Command line for sh, run after reading, also upon failure: removes it again'),
    path: absolutePath
      .optional()
      .describe('Where the snapshot is mounted: read there instead of in the folder itself'),
    timeout: duration.default('5m').describe('How long each of the two may take'),
  })
  .describe('Commands around a capture, for snapshots of LVM, btrfs or ZFS');

export const filesSchema = z.strictObject({
  path: absolutePath.describe('The folder to protect'),
  exclude: z
    .array(z.string().min(1))
    .default([])
    .describe('What is left out, in the syntax of .gitignore, relative to the folder'),
  oneFileSystem: z.boolean().default(false).describe('Leave out what is mounted below the folder'),
  hooks: hooksSchema.optional(),
});

export type FilesSettings = z.infer<typeof filesSchema>;
export type FilesHooks = z.infer<typeof hooksSchema>;
