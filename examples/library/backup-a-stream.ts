/**
 * Backs up what comes on standard input as one file of a repository, which is made where there is none:
 *
 *     pg_dump orders | HOLDFAST_PASSWORD=… node examples/library/backup-a-stream.ts /srv/backup orders.sql
 *
 * `restic -r /srv/backup restore latest --target .` brings it back, and so does `holdfast repo restore`.
 */
import {
  createRepository,
  encodeTree,
  isHoldfastError,
  madeMetadata,
  openRepository,
  openStorage,
  openWriter,
  type Repository,
  Secret,
} from 'holdfast/repository';

const [location, name] = process.argv.slice(2);
const { HOLDFAST_PASSWORD } = process.env;
if (!location || !name || !HOLDFAST_PASSWORD) {
  process.stderr.write('usage: HOLDFAST_PASSWORD=… backup-a-stream.ts REPOSITORY NAME < file\n');
  process.exit(2);
}

async function openOrCreate(): Promise<Repository> {
  const storage = await openStorage(location as string);
  const password = new Secret(HOLDFAST_PASSWORD as string);
  try {
    return await openRepository({ storage, password });
  } catch (error) {
    if (!isHoldfastError(error, 'repository/no-repository')) throw error;
    return await createRepository({ storage, password });
  }
}

async function backUp(repository: Repository): Promise<void> {
  const atMs = Date.now();
  const writer = await openWriter(repository);
  try {
    // Cut, hashed, compressed and sealed in worker threads; read no faster than they keep up.
    const { ids, sizeBytes } = await writer.saveStream(process.stdin, { kind: 'content' });
    const file = {
      ...madeMetadata('file', 0o600, BigInt(atMs) * 1_000_000n),
      name: Buffer.from(name as string),
      sizeBytes: BigInt(sizeBytes),
      content: ids,
    };
    const tree = await writer.saveTree(encodeTree([file]));
    const { storedBytes } = await writer.finish();
    // Only now: everything that the snapshot needs is durable and can be found.
    const snapshot = await repository.snapshots.save({ time: atMs, tree, paths: [`/${name}`] });
    process.stdout.write(`${snapshot.id}: ${sizeBytes} bytes, stored as ${storedBytes}\n`);
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

const repository = await openOrCreate();
try {
  await backUp(repository);
} catch (error) {
  if (!isHoldfastError(error)) throw error;
  process.stderr.write(`${error.message}\n${error.guidance}\n`);
  process.exitCode = 1;
} finally {
  await repository.close();
}
