/** A thread beside the fuzzer: where one input takes too long, it prints it and ends the process. */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const MAX_INPUT_BYTES = 1024 * 1024;
const LOOK_EVERY_MS = 1_000;
/** Under any load, an input is decoded in milliseconds. */
const TOO_LONG_MS = 30_000;

/** Words: number of the input under way (0: none), its length; then its bytes. */
const HEADER_BYTES = 8;

export class HangWatch {
  readonly #memory = new SharedArrayBuffer(HEADER_BYTES + MAX_INPUT_BYTES);
  readonly #words = new Int32Array(this.#memory, 0, 2);
  readonly #bytes = new Uint8Array(this.#memory, HEADER_BYTES);
  readonly #worker = new Worker(new URL(import.meta.url), { workerData: this.#memory });
  #number = 0;

  constructor() {
    this.#worker.unref();
  }

  begin(input: Buffer): void {
    const kept = input.subarray(0, MAX_INPUT_BYTES);
    this.#bytes.set(kept);
    this.#words[1] = kept.length;
    this.#number = (this.#number % 2 ** 30) + 1;
    Atomics.store(this.#words, 0, this.#number);
  }

  end(): void {
    Atomics.store(this.#words, 0, 0);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}

function watch(memory: SharedArrayBuffer): void {
  const words = new Int32Array(memory, 0, 2);
  let number = 0;
  let sinceMs = 0;
  setInterval(() => {
    const current = Atomics.load(words, 0);
    if (current === 0 || current !== number) {
      number = current;
      sinceMs = performance.now();
    } else if (performance.now() - sinceMs > TOO_LONG_MS) {
      const input = Buffer.from(new Uint8Array(memory, HEADER_BYTES, words[1])).toString('base64');
      process.stderr.write(`✗ an input takes longer than ${TOO_LONG_MS} ms: ${input}\n`);
      process.kill(process.pid, 'SIGKILL');
    }
  }, LOOK_EVERY_MS);
}

if (!isMainThread && parentPort && workerData instanceof SharedArrayBuffer) watch(workerData);
