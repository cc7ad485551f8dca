import { z } from 'zod';
import type { CaptureOutcome } from '../source.ts';

/** What a base backup's outcome tells recovery, as JSON values. */
export const baseFactsSchema = z.object({
  /** 150018 for 15.18. */
  serverVersion: z.int(),
  majorVersion: z.int(),
  systemIdentifier: z.string(),
  walSegmentSizeBytes: z.int().positive(),
  blockSizeBytes: z.int().positive(),
  /** Bytes after which a relation goes on in its next file. */
  segmentFileBytes: z.int().positive(),
  chunkSizeBytes: z.int().positive(),
  /** Where tablespaces lay on production; in the snapshot each is a folder `pg_tblspc/<oid>`. */
  tablespaces: z.array(z.object({ oid: z.string(), location: z.string() })),
  /** Settings that a recovery needs or must know of, as the server showed them. */
  settings: z.record(z.string(), z.string()),
  /** Absolute paths on production of configuration outside the data directory, kept below `holdfast-config/`. */
  configFiles: z.array(z.string()),
  /** Locale, collation versions and extensions that the copy's host must have alike. */
  needs: z.record(z.string(), z.unknown()),
  fromStandby: z.boolean(),
  /** Of a base from a standby: what was committed by then (Holdfast's clock, ms) is in it. */
  asOfMs: z.number().optional(),
  /** How its data came: from the data files themselves, or sent by the server, and why then. */
  readBy: z
    .union([
      z.object({ way: z.literal('files') }),
      z.object({ way: z.literal('stream'), because: z.string() }),
    ])
    .optional(),
  /** As whom and to which database the store's URL goes; never a password. */
  access: z.object({ user: z.string(), database: z.string() }),
});

export type BaseFacts = z.infer<typeof baseFactsSchema>;

/** @throws z.ZodError where the facts aren't those of a Postgres base */
export function baseFactsOf(capture: CaptureOutcome): BaseFacts {
  return baseFactsSchema.parse(capture.facts);
}

/** Folder in the snapshot for configuration that lies outside the data directory. */
export const CONFIG_FOLDER = 'holdfast-config';
