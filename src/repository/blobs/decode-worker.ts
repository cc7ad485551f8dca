/** Worker thread: opens, decompresses and verifies stretches of packs, or whole packs. */
import { parentPort } from 'node:worker_threads';
import { freeNow } from '#base';
import { BlobTable } from '../index/blob-table.ts';
import { blobsOfWords } from '../index/index-entries.ts';
import { openIndexFile } from '../index/open-index-file.ts';
import { verifyPack } from '../pack/verify-pack.ts';
import { openFilesHere } from '../sealed/many-unpacked.ts';
import { openSealed } from '../sealed/sealed-files.ts';
import { LinkCollector } from '../tree-links.ts';
import { BlobOpener } from './blob-opener.ts';
import { runDecodeJob } from './decode-job.ts';
import type { PoolJob, ToDecodeWorker, VerifiedPack } from './decode-pool.ts';
import { runPlacingJob } from './run-placing-job.ts';

let opener: BlobOpener | undefined;

parentPort?.on('message', (message: ToDecodeWorker) => {
  if (message.kind === 'unlock') opener = new BlobOpener(message.masterKey);
  else if (!opener) throw new TypeError('a job came before there was a key');
  else runJob(opener, message.number, message.job);
});

function runJob(opener: BlobOpener, number: number, job: PoolJob): void {
  if (job.kind === 'decode') {
    const answer = runDecodeJob(opener, job.stretch);
    freeNow(job.stretch.sealed);
    parentPort?.postMessage({ number, answer }, [answer.bytes, answer.whole.buffer]);
  } else if (job.kind === 'place') {
    const answer = runPlacingJob(opener, job.placing);
    freeNow(job.placing.stretch.sealed);
    parentPort?.postMessage({ number, answer }, [answer.whole.buffer, answer.finished.buffer]);
  } else if (job.kind === 'index') {
    void answerIndex(opener, number, job.fileName, job.stored);
  } else if (job.kind === 'sealed') {
    answerSealed(opener, number, job.name, job.stored);
  } else if (job.kind === 'files') {
    const answer = openFilesHere(opener, job.files);
    parentPort?.postMessage({ number, answer }, [answer.bytes.buffer, answer.lengths.buffer]);
  } else {
    const { packId, bytes, sizeBytes, expected, table } = job.pack;
    const pack = Buffer.from(bytes, 0, sizeBytes);
    const collector = table && new LinkCollector(new BlobTable(table));
    const onTree = collector?.add.bind(collector);
    const blobs = blobsOfWords(expected);
    const verdict = verifyPack(opener, packId, pack, blobs, onTree);
    freeNow(bytes);
    const links = collector?.words();
    const answer: VerifiedPack = links ? { verdict, links } : { verdict };
    parentPort?.postMessage({ number, answer }, links ? [links.buffer] : []);
  }
}

async function answerIndex(
  { sealer }: BlobOpener,
  number: number,
  fileName: string,
  stored: ArrayBuffer,
): Promise<void> {
  try {
    const answer = await openIndexFile(sealer, fileName, new Uint8Array(stored));
    const { packIds, counts, marked, words } = answer;
    const transfer = [packIds.buffer, counts.buffer, marked.buffer, words.buffer];
    parentPort?.postMessage({ number, answer }, transfer);
  } catch {
    // Why is told to whoever opens it again: errors don't come over whole.
    parentPort?.postMessage({ number, answer: undefined });
  }
}

function answerSealed(
  { sealer, decompressor }: BlobOpener,
  number: number,
  name: string,
  stored: ArrayBuffer,
): void {
  try {
    // Memory of its own goes over: what it was decompressed into is used again.
    const answer = new Uint8Array(openSealed(sealer, name, Buffer.from(stored), decompressor));
    freeNow(stored);
    parentPort?.postMessage({ number, answer }, [answer.buffer]);
  } catch {
    // As with an index: who opens it again is told why.
    parentPort?.postMessage({ number, answer: undefined });
  }
}
