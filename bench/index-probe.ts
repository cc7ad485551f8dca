/** Opens a repository, loads its index and ends: what `bench/index.ts` measures. Arguments: repository, cache folder. */
import { Secret } from '#base';
import { openRepository, openStorage } from '#repository';

const [location = '', cacheFolder] = process.argv.slice(2);
const repository = await openRepository({
  storage: await openStorage(location),
  password: new Secret(process.env.HOLDFAST_PASSWORD ?? ''),
  cache: cacheFolder ? { folder: cacheFolder } : false,
});
const begun = performance.now();
await repository.loadIndex();
const openMs = performance.now() - begun;
const { blobCount, sizeBytes } = repository.index;
process.stdout.write(
  `${JSON.stringify({ openMs, blobs: blobCount, bytesPerBlob: sizeBytes / blobCount })}\n`,
);
await repository.close();
