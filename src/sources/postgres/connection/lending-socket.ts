import net from 'node:net';

/** Four times what Node itself takes for a read: each costs the same, however much it brings. */
const READ_BYTES = 256 * 1024;

/**
 * A socket whose bytes lie in memory that comes back. By itself Node takes new memory for each read: the kernel clears
 * its pages every time, and the garbage collector comes for it. Not to be wrapped into TLS.
 */
export class LendingSocket extends net.Socket {
  /** While true, whoever hears `data` has the bytes for its own until `giveBack`; else they are a copy. */
  isLending = false;
  readonly #free: Buffer[] = [];
  #room: Buffer = Buffer.allocUnsafeSlow(READ_BYTES);

  constructor() {
    super({
      onread: {
        buffer: () => this.#room,
        callback: (length) => {
          this.#arrived(length);
          return true;
        },
      },
    });
  }

  /** `bytes`: as `data` gave them. */
  giveBack(bytes: Buffer): void {
    this.#free.push(Buffer.from(bytes.buffer as ArrayBuffer));
  }

  #arrived(length: number): void {
    const bytes = this.#room.subarray(0, length);
    if (this.isLending) {
      this.#room = this.#free.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES);
      this.emit('data', bytes);
    } else {
      this.emit('data', Buffer.from(bytes));
    }
  }
}
