/** A thread that mixes lanes of scrypt, two at once and each pair in its turn in the same memory, and ends. */
import fs from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

/** `lanes`: 128 · r bytes each. What is answered is the same, mixed. */
export type LaneWork = { N: number; r: number; lanes: Uint8Array<ArrayBuffer>[] };

type Mixing = {
  memory: { buffer: ArrayBuffer; grow(pages: number): number };
  spread(n: number, r: number): void;
  fill(n: number, r: number, first: number, count: number): void;
  choose(n: number, r: number, count: number): void;
  gather(r: number): void;
};

const WASM_PAGE_BYTES = 64 * 1024;
/** At once; a power of two. What has been optimised meanwhile counts from the next call on. */
const STEPS = 256;

const { N, r, lanes } = workerData as LaneWork;
const laneBytes = 128 * r;
const wasm = fs.readFileSync(new URL(import.meta.resolve('#asset/keys/smix.wasm')));
const mixing = new WebAssembly.Instance(new WebAssembly.Module(wasm)).exports as Mixing;
const missingBytes = 2 * laneBytes * (N + 2) - mixing.memory.buffer.byteLength;
mixing.memory.grow(Math.ceil(Math.max(0, missingBytes) / WASM_PAGE_BYTES));
const place = new Uint8Array(mixing.memory.buffer);
for (let first = 0; first < lanes.length; first += 2) {
  // Where the last is alone, what is left beside it is mixed too, and nobody looks at it.
  const pair = lanes.slice(first, first + 2);
  for (const [at, lane] of pair.entries()) place.set(lane, at * laneBytes);
  mixPair();
  for (const [at, lane] of pair.entries()) {
    lane.set(place.subarray(at * laneBytes, (at + 1) * laneBytes));
  }
}
parentPort?.postMessage(
  lanes,
  lanes.map(({ buffer }) => buffer),
);

function mixPair(): void {
  const steps = Math.min(STEPS, N);
  mixing.spread(N, r);
  for (let first = 1; first <= N; first += steps) mixing.fill(N, r, first, steps);
  for (let done = 0; done < N; done += steps) mixing.choose(N, r, steps);
  mixing.gather(r);
}
