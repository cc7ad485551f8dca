/** One streaming session: START_REPLICATION of one timeline until it ends, or until something breaks. */
import { formatSize, systemClock } from '#base';
import type { JournalPosition, JournalSink } from '../../source.ts';
import type {
  ReplicationConnection,
  ReplicationMessage,
  ReplicationStream,
} from '../connection/index.ts';
import { errors } from '../errors.ts';
import { formatLsn, parseLsn } from '../lsn.ts';
import { untilAborted } from './abortable.ts';
import { parseSenderMessage, type SenderMessage, statusUpdate } from './messages.ts';
import type { Upstream } from './upstream.ts';

export type StreamTiming = {
  /** A status update goes out at least this often. */
  statusMs: number;
  /** After this silence the server is asked for a word. */
  pingAfterMs: number;
  /** After this silence the connection counts as cut. */
  deadAfterMs: number;
  /** How long a server that shuts down may wait for what isn't safe yet, before the stream lets it go. */
  shutdownGraceMs: number;
  /** How often the bound of the slot is asked of the server while the stream stands still. */
  limitCheckMs: number;
  /** First and longest pause before the next try. */
  backoffMs: { first: number; longest: number };
};

export type ReceiveOptions = {
  link: ReplicationConnection;
  slot: string;
  from: JournalPosition;
  sink: JournalSink;
  signal: AbortSignal;
  timing: StreamTiming;
  /** From here on the server keeps WAL for the slot, and how much it may keep. */
  keepsFrom: bigint;
  limitBytes: number;
  /** Asks the server for the end of its WAL, where the stream can't tell because it stands still. */
  askServerEnd: () => Promise<bigint>;
  /** Called once, at the first word of the server in the stream. */
  onStreaming: () => void;
  /** Of a standby: what it knows of its primary. Undefined where the server writes its WAL itself. */
  upstream: () => Upstream | undefined;
};

/**
 * Streams into the sink. Resolves where the timeline has ended on the server, to where the next one goes on.
 * @throws postgres/slot-limit-reached, postgres/server-stopping, postgres/connection-lost, postgres/command-failed,
 * postgres/protocol-broken, what the sink throws, or the signal's reason
 */
export async function receive(options: ReceiveOptions): Promise<JournalPosition> {
  return await new Reception(options).run();
}

/** Replies asked for again within this time are answered by the clock: a server that shuts down asks without pause. */
const REPLY_AT_MOST_EVERY_MS = 100;

class Reception {
  readonly #options: ReceiveOptions;
  readonly #broken = new AbortController();
  readonly #signal: AbortSignal;
  readonly #stream: ReplicationStream;
  #received: bigint;
  #flushed: bigint;
  #senderEnd: bigint;
  #isCopying = false;
  #isStreaming = false;
  /** The sink can't take more now, so nothing is read and silence means nothing. */
  #isHeldBack = false;
  #heardAtMs = systemClock.monotonicMs();
  #sentAtMs = 0;
  /** Everything that the server had written by then (its clock) has been received; 0: not known yet. */
  #completeThroughMs = 0;
  #limitAskedAtMs = systemClock.monotonicMs();
  #shutdownSinceMs: number | undefined;
  #next: JournalPosition | undefined;
  /** When all that the standby's primary had was last known to be here. */
  #wholeAtMs = systemClock.monotonicMs();

  constructor(options: ReceiveOptions) {
    const { link, slot, from, keepsFrom } = options;
    this.#options = options;
    this.#received = from.offset;
    this.#senderEnd = from.offset;
    this.#flushed = keepsFrom;
    this.#signal = AbortSignal.any([options.signal, this.#broken.signal]);
    const command = `START_REPLICATION SLOT "${slot}" PHYSICAL ${formatLsn(from.offset)} TIMELINE ${from.line}`;
    this.#stream = link.stream(command, this.#signal);
  }

  async run(): Promise<JournalPosition> {
    const { sink, timing } = this.#options;
    const stopListening = sink.onFlushable(() => this.#reportFlushed());
    const timer = setInterval(() => this.#tick(), timing.statusMs);
    try {
      for await (const batch of this.#stream.batches()) {
        this.#heardAtMs = systemClock.monotonicMs();
        for (const message of batch) this.#take(message);
        await this.#waitForSink();
      }
    } finally {
      this.#isCopying = false;
      clearInterval(timer);
      stopListening();
    }
    if (this.#next === undefined) throw errors.connectionLost(['the server ended the stream']);
    return this.#next;
  }

  async #waitForSink(): Promise<void> {
    this.#isHeldBack = true;
    try {
      await untilAborted(this.#options.sink.ready(), this.#signal);
    } finally {
      this.#isHeldBack = false;
      this.#heardAtMs = systemClock.monotonicMs();
    }
  }

  #take(message: ReplicationMessage): void {
    if (message.kind === 'data') this.#takeFromSender(message.bytes);
    else if (message.kind === 'copy-begins') this.#begin();
    else if (message.kind === 'copy-ends') this.#endCopy();
    else if (message.kind === 'row') this.#takeNextLine(message.values);
  }

  #begin(): void {
    this.#isCopying = true;
    this.#sendStatus(true);
  }

  #endCopy(): void {
    if (!this.#isCopying) return;
    this.#isCopying = false;
    this.#stream.sendDone();
  }

  /** The answer at the end of a timeline: the next one, and where it begins. */
  #takeNextLine(values: (string | null)[]): void {
    const line = Number(values[0]);
    const offset = parseLsn(values[1] ?? '');
    if (!Number.isSafeInteger(line) || line <= this.#options.from.line || offset === undefined) {
      throw errors.protocolBroken(['it names no next timeline']);
    }
    this.#next = { line, offset };
  }

  #takeFromSender(bytes: Buffer): void {
    const message = parseSenderMessage(bytes);
    if (message === undefined) throw errors.protocolBroken(['an unknown message in the stream']);
    const { line } = this.#options.from;
    if (!this.#isStreaming) {
      this.#isStreaming = true;
      this.#options.onStreaming();
    }
    if (message.kind === 'data') {
      if (message.offset !== this.#received) {
        throw errors.protocolBroken([
          `WAL from ${formatLsn(message.offset)} where ${formatLsn(this.#received)} goes on`,
        ]);
      }
      this.#received += BigInt(message.bytes.length);
      this.#noteComplete(message);
      this.#options.sink.append(line, message.offset, message.bytes, this.#completeThroughMs);
    } else this.#noteComplete(message);
    if (message.senderEnd > this.#senderEnd) this.#senderEnd = message.senderEnd;
    if (!this.#upstream()) {
      const senderEnd = { line, offset: message.senderEnd };
      this.#options.sink.heard({ sentAtMs: message.sentAtMs, senderEnd });
    }
    if (message.kind === 'keepalive') this.#answer(message);
  }

  /** While a backlog is sent, the sender's clock says nothing of what has been received. */
  #noteComplete(message: SenderMessage): void {
    const upstream = this.#upstream();
    if (upstream) {
      const { end, atMs } = upstream.standing ?? {};
      if (end !== undefined && atMs !== undefined && this.#received >= end)
        this.#completeThroughMs = Math.max(this.#completeThroughMs, atMs);
    } else if (this.#received >= message.senderEnd) this.#completeThroughMs = message.sentAtMs;
  }

  #upstream(): Upstream | undefined {
    const upstream = this.#options.upstream();
    return upstream?.isStandby ? upstream : undefined;
  }

  /** A standby passes on what it has: what its primary has beyond that is told as lag, as far as it is known. */
  #tellUpstream(nowMs: number): void {
    const upstream = this.#upstream();
    if (!upstream) return;
    const { standing, isFollowing, ageMs } = upstream;
    if (isFollowing && (!standing || this.#received >= standing.end)) this.#wholeAtMs = nowMs;
    if (!standing) return;
    this.#options.sink.heard({
      sentAtMs: standing.atMs,
      senderEnd: { line: this.#options.from.line, offset: standing.end },
      relayed: { ageMs, behindMs: nowMs - this.#wholeAtMs },
    });
  }

  #answer(keepalive: Extract<SenderMessage, { kind: 'keepalive' }>): void {
    if (!keepalive.wantsReply) {
      this.#shutdownSinceMs = undefined;
      return;
    }
    const nowMs = systemClock.monotonicMs();
    const sinceReplyMs = nowMs - this.#sentAtMs;
    // It has just been told: a server asks again so soon only while it shuts down and waits for our flush.
    if (sinceReplyMs < 2 * this.#options.timing.statusMs) this.#shutdownSinceMs ??= nowMs;
    if (sinceReplyMs >= REPLY_AT_MOST_EVERY_MS) this.#sendStatus(false);
  }

  #tick(): void {
    if (!this.#isCopying) return;
    const nowMs = systemClock.monotonicMs();
    const { timing } = this.#options;
    const silenceMs = this.#isHeldBack ? 0 : nowMs - this.#heardAtMs;
    if (silenceMs > timing.deadAfterMs) {
      this.#broken.abort(
        errors.connectionLost([`no word from the server for ${Math.round(silenceMs / 1000)}s`]),
      );
      return;
    }
    const stoppingMs = this.#shutdownSinceMs === undefined ? 0 : nowMs - this.#shutdownSinceMs;
    if (stoppingMs > timing.shutdownGraceMs) {
      // What isn't safe yet stays in the slot and comes after the restart; production doesn't wait for it.
      this.#broken.abort(errors.serverStopping([]));
      return;
    }
    this.#sendStatus(silenceMs > timing.pingAfterMs);
    this.#tellUpstream(nowMs);
    this.#watchLimit(nowMs);
  }

  #watchLimit(nowMs: number): void {
    const { limitBytes, slot, askServerEnd, timing } = this.#options;
    const held = Number(this.#senderEnd - this.#flushed);
    if (held > limitBytes) {
      const sizes: [string, string] = [formatSize(held), formatSize(limitBytes)];
      this.#broken.abort(errors.slotLimitReached([slot, ...sizes]));
    } else if (this.#isHeldBack && nowMs - this.#limitAskedAtMs > timing.limitCheckMs) {
      this.#limitAskedAtMs = nowMs;
      askServerEnd().then(
        (end) => {
          if (end > this.#senderEnd) this.#senderEnd = end;
        },
        () => {
          // It can't be asked now: it is asked again, and what is wrong with the server shows on the stream itself.
        },
      );
    }
  }

  #reportFlushed(): void {
    if (this.#isCopying && this.#flushable() > this.#flushed) this.#sendStatus(false);
  }

  /** Never beyond what came here on this timeline: positions of another branch say nothing about this one. */
  #flushable(): bigint {
    const flushable = this.#options.sink.flushable();
    if (flushable === undefined || flushable.line !== this.#options.from.line) return 0n;
    return flushable.offset < this.#received ? flushable.offset : this.#received;
  }

  #sendStatus(wantsReply: boolean): void {
    const flushed = this.#flushable();
    if (flushed > this.#flushed) this.#flushed = flushed;
    this.#sentAtMs = systemClock.monotonicMs();
    this.#stream.send(
      statusUpdate({ received: this.#received, flushed, atMs: systemClock.nowMs(), wantsReply }),
    );
  }
}
