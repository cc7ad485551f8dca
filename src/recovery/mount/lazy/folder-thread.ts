/**
 * The thread that answers the kernel for one lazy folder: it owns the names and the open files, and reads and writes
 * what is here by itself. What would make it wait goes to the thread that started it. Its first message says which folder.
 */
import { parentPort } from 'node:worker_threads';
import { answerInit, LISTS_ATTRIBUTES } from '../fuse/init.ts';
import { FEATURE, OPCODE } from '../fuse/opcodes.ts';
import { sendAnswer } from '../fuse/reply.ts';
import { requestsOf } from '../fuse/requests.ts';
import { decodeRequest } from '../fuse/wire.ts';
import { readLazyFiles } from './block-list.ts';
import { FolderFileSystem } from './folder-file-system.ts';
import type { FolderThreadData, FolderThreadMessage } from './messages.ts';
import { NodeTable } from './nodes.ts';
import { isSettled, PageStore, sharedPageMap } from './page-store.ts';

const { descriptor, folder, state, pages, hasXattrs, writesBehind } =
  await new Promise<FolderThreadData>((resolve) => parentPort?.once('message', resolve));

const files = readLazyFiles(state);
const sizes = files.map(({ sizeBytes }) => sizeBytes);
const byInode = new Map(files.map(({ inode, bornNs }, number) => [inode, { bornNs, number }]));
const store = new PageStore(sharedPageMap(pages, sizes), state);

const nodes = new NodeTable(folder, (stat) => {
  const known = byInode.get(stat.ino);
  return known?.bornNs === stat.birthtimeNs ? known.number : undefined;
});

function tell(message: FolderThreadMessage): void {
  parentPort?.postMessage(message);
}

let wasSettled = isSettled(state);

const fileSystem = new FolderFileSystem({
  folder,
  nodes,
  pages: store,
  hasXattrs,
  isSettled: () => {
    wasSettled ||= isSettled(state);
    return wasSettled;
  },
  defer: (request) => tell({ kind: 'deferred', request }),
});

const features = (writesBehind ? FEATURE.writebackCache : 0) | (hasXattrs ? LISTS_ATTRIBUTES : 0);
for (const bytes of requestsOf(descriptor)) {
  const request = decodeRequest(bytes);
  if (!request) continue;
  if (request.opcode === OPCODE.init) {
    sendAnswer(descriptor, request.unique, [answerInit(request.body, features)]);
    tell({ kind: 'agreed' });
    continue;
  }
  const answer = fileSystem.answer(request);
  if (answer) sendAnswer(descriptor, request.unique, answer);
}
store.close();
tell({ kind: 'left', descriptors: fileSystem.openDescriptors() });
