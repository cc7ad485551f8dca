/** For tests: what somebody does to a bucket who stole the key of its owner. */
import {
  DeleteObjectCommand,
  type DeleteObjectCommandInput,
  ListObjectVersionsCommand,
  PutObjectCommand,
  PutObjectRetentionCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { inLanes } from '../../in-lanes.ts';
import { type S3TestServer, testClient } from './test-server.ts';

/** By names: versions that the server let be destroyed, and locks that it let be shortened. */
export type Ruin = { destroyed: string[]; shortened: string[] };

const AT_ONCE = 8;

export function thiefOf({ endpoint, user }: S3TestServer): S3Client {
  return testClient(endpoint, user);
}

/** Everything that a thief could do, to every object but locks, which nobody would miss. */
export async function ruinBucket(thief: S3Client, Bucket: string): Promise<Ruin> {
  const ruin: Ruin = { destroyed: [], shortened: [] };
  const remove = (input: DeleteObjectCommandInput) => thief.send(new DeleteObjectCommand(input));
  const versions = (await versionsIn(thief, Bucket)).filter(({ Key }) => !/\/locks\//.test(Key));
  await inLanes(versions, AT_ONCE, async (version) => {
    const { Key } = version;
    const soon = { Mode: 'COMPLIANCE' as const, RetainUntilDate: new Date(Date.now() + 5_000) };
    const shorten = new PutObjectRetentionCommand({ ...version, Retention: soon });
    if (await isAllowed(thief.send(shorten))) ruin.shortened.push(Key);
    if (await isAllowed(remove({ ...version, BypassGovernanceRetention: true }))) {
      ruin.destroyed.push(Key);
    }
    await thief.send(new PutObjectCommand({ Bucket, Key, Body: 'ransom' }));
    if (Key.length % 2 === 0) await remove({ Bucket, Key });
  });
  return ruin;
}

async function versionsIn(thief: S3Client, Bucket: string) {
  const found: { Bucket: string; Key: string; VersionId: string }[] = [];
  let at = {};
  for (;;) {
    const page = await thief.send(new ListObjectVersionsCommand({ Bucket, ...at }));
    for (const { Key = '', VersionId = '' } of page.Versions ?? []) {
      found.push({ Bucket, Key, VersionId });
    }
    if (!page.IsTruncated) return found;
    at = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
  }
}

/** Throws what isn't a refusal. */
function isAllowed(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    (error: unknown) => {
      if (error instanceof Error && error.name === 'AccessDenied') return false;
      throw error;
    },
  );
}
