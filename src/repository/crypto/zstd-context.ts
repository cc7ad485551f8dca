/**
 * zstd contexts that are used again and again. Setting one up takes longer than compressing a small file, and Node's
 * public calls set one up each time. What lies beneath them is reached through the stream's handle; where a Node has
 * none of that shape, the public calls do the same work.
 */
import zlib from 'node:zlib';
import {
  COMPRESSIONS,
  type Compression,
  compress,
  decompress,
  MAX_WINDOW_LOG,
} from './compression.ts';
import { MOST_SCRATCH_BYTES, Scratch } from './scratch.ts';

const { ZSTD_e_end: END } = zlib.constants;

/** Node's own handle: fills `state` with the bytes that are left of output and input. */
type Handle = {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputStart: number,
    inputBytes: number,
    output: Uint8Array,
    outputStart: number,
    outputBytes: number,
  ): void;
};

type Context = {
  stream: zlib.ZstdCompress | zlib.ZstdDecompress;
  handle: Handle;
  state: Uint32Array;
};

function contextOf(stream: Context['stream']): Context | undefined {
  const { _handle: handle, _writeState: state } = stream as unknown as {
    _handle?: Partial<Handle>;
    _writeState?: unknown;
  };
  const isKnown = typeof handle?.writeSync === 'function' && state instanceof Uint32Array;
  // Whatever fails is seen by `destroyed`; as an event nobody would hear it.
  if (isKnown) return { stream: stream.on('error', () => {}), handle: handle as Handle, state };
  stream.destroy();
  return undefined;
}

/** Bytes that came out; undefined where it failed, took not all of the input or may not have come to its end. */
function runWhole(context: Context, input: Uint8Array, output: Uint8Array): number | undefined {
  const { handle, state, stream } = context;
  handle.writeSync(END, input, 0, input.length, output, 0, output.length);
  const [outputLeft = 0, inputLeft = 0] = state;
  if (stream.destroyed || inputLeft !== 0 || outputLeft === 0) return undefined;
  return output.length - outputLeft;
}

/** One a thread; equal bytes become equal frames, whatever came before. */
export class Compressor {
  readonly #params: Record<number, number>;
  readonly #scratch = new Scratch();
  #context: Context | undefined;
  #isUnknown = false;

  constructor(compression: Compression = 'usual') {
    this.#params = COMPRESSIONS[compression];
  }

  /** The frame holds until the next call. */
  compress(plain: Uint8Array): Buffer {
    // ZSTD_COMPRESSBOUND and one more: with so much room zstd works without buffers of its own, and can't be cut off.
    const mostBytes = plain.length + (plain.length >>> 8) + 129;
    if (mostBytes > MOST_SCRATCH_BYTES) return compress(plain, this.#params);
    const context = this.#open();
    const output = this.#scratch.of(mostBytes);
    const written = context && runWhole(context, plain, output);
    if (written !== undefined) return output.subarray(0, written);
    this.#context = undefined;
    return compress(plain, this.#params);
  }

  #open(): Context | undefined {
    if (this.#context || this.#isUnknown) return this.#context;
    this.#context = contextOf(zlib.createZstdCompress({ params: this.#params }));
    this.#isUnknown = this.#context === undefined;
    return this.#context;
  }
}

/** One a thread. */
export class Decompressor {
  readonly #scratch = new Scratch();
  #context: Context | undefined;
  #isUnknown = false;

  /**
   * The plain bytes, which hold until the next call. `plainBytes`: what they should be; where they are more or the
   * frame is broken, it throws what `decompress` throws, or gives less.
   */
  decompress(compressed: Uint8Array, plainBytes: number): Buffer {
    const context = this.#open();
    // One more than it should be: room that is left shows that the frame came to its end. Pages that stay untouched,
    // because the frame is shorter, cost nothing.
    const isLarge = plainBytes >= MOST_SCRATCH_BYTES;
    const memory = isLarge
      ? Buffer.allocUnsafeSlow(plainBytes + 1)
      : this.#scratch.of(plainBytes + 1);
    const output = memory.subarray(0, plainBytes + 1);
    const written = context && runWhole(context, compressed, output);
    if (written === plainBytes) return output.subarray(0, plainBytes);
    // In the middle of a broken frame it would take the next one for its continuation.
    this.#context = undefined;
    return decompress(compressed, plainBytes);
  }

  #open(): Context | undefined {
    if (this.#context || this.#isUnknown) return this.#context;
    const params = { [zlib.constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG };
    this.#context = contextOf(zlib.createZstdDecompress({ params }));
    this.#isUnknown = this.#context === undefined;
    return this.#context;
  }
}
