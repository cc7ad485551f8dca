/** Follows a server's WAL through cuts, restarts, shutdowns, promotions and losses, until it is aborted. */
import { formatSize, isHoldfastError, type Logger, messageOf, sleepMs, systemClock } from '#base';
import type { JournalPosition, JournalSink, JournalState } from '../../source.ts';
import {
  addressOf,
  type ConnectionSettings,
  connectReplication,
  connectSql,
  type ReplicationConnection,
  type SqlConnection,
} from '../connection/index.ts';
import { errors } from '../errors.ts';
import { formatLsn, segmentStart } from '../lsn.ts';
import { openedUntilAborted, untilAborted } from './abortable.ts';
import { identifyServer, readHistory, type ServerIdentity } from './identity.ts';
import { receive, type StreamTiming } from './receive.ts';
import { readRemembered, remember } from './remembered.ts';
import { dropSlot, isWalRemoved, readSlot, readySlot } from './slot.ts';
import { startingPoint } from './start-point.ts';
import { readUpstream, UpstreamWatch } from './upstream.ts';

export type FollowerOptions = {
  settings: ConnectionSettings;
  slot: string;
  limitBytes: number;
  stateFolder: string;
  log: Logger;
  timing: StreamTiming;
};

/** What can't be had any more, until the stream goes on after it. `from` is undefined where nothing was here yet. */
type Loss = { from: JournalPosition | undefined; because: string; isTold: boolean };

export class Follower {
  readonly #options: FollowerOptions;
  readonly #sink: JournalSink;
  readonly #onState: (state: JournalState) => void;
  readonly #signal: AbortSignal;
  /** Process on the server that streams to us: after a cut it holds the slot until it notices. */
  #senderPid: number | undefined;
  #loss: Loss | undefined;
  /** After a loss the journal goes on here, whatever the sink has before it. */
  #floor: JournalPosition | undefined;
  readonly #toldLines = new Set<number>();
  #backoffMs: number;

  constructor(
    options: FollowerOptions,
    sink: JournalSink,
    onState: (state: JournalState) => void,
    signal: AbortSignal,
  ) {
    this.#options = options;
    this.#sink = sink;
    this.#onState = onState;
    this.#signal = signal;
    this.#backoffMs = options.timing.backoffMs.first;
  }

  /** Returns when aborted; throws what a person must mend. */
  async run(): Promise<void> {
    while (!this.#signal.aborted) {
      try {
        await this.#giveUpLost();
        await this.#session();
      } catch (error) {
        if (this.#signal.aborted) return;
        this.#noteLoss(error);
        if (this.#loss === undefined && !isPassing(error)) throw error;
        await this.#pause(messageOf(error));
      }
    }
  }

  async #pause(because: string): Promise<void> {
    const waitMs = this.#backoffMs;
    this.#backoffMs = Math.min(2 * waitMs, this.#options.timing.backoffMs.longest);
    this.#options.log.warn({ slot: this.#options.slot, because, waitMs }, 'WAL stream interrupted');
    this.#onState({ state: 'waiting', because, nextTryMs: systemClock.nowMs() + waitMs });
    try {
      await sleepMs(waitMs, this.#signal);
    } catch {
      // Aborted: the loop ends by itself.
    }
  }

  /** The slot passed its bound, or the server has thrown away what comes next. */
  #noteLoss(error: unknown): void {
    if (this.#loss !== undefined) return;
    const from = this.#resume();
    if (isHoldfastError(error, 'postgres/slot-limit-reached')) {
      this.#loss = { from, because: error.message, isTold: false };
    } else if (isWalRemoved(error)) {
      const where = from === undefined ? '' : ` from ${formatLsn(from.offset)}`;
      const because = `the server no longer has the WAL${where}`;
      this.#loss = { from, because, isTold: false };
    }
  }

  /**
   * Frees production first, then notes the gap, then waits until the sink can take the journal again. Freed before each
   * further try: a new slot begins at the server's last checkpoint, and where that lies too far back it is too long again.
   */
  async #giveUpLost(): Promise<void> {
    const loss = this.#loss;
    if (loss === undefined) return;
    await this.#freeServer();
    if (!loss.isTold) {
      if (loss.from) await this.#sink.gap({ from: loss.from, because: loss.because });
      loss.isTold = true;
      this.#options.log.warn({ slot: this.#options.slot, because: loss.because }, 'WAL lost');
      this.#onState({ state: 'needs-base', because: loss.because });
    }
    await untilAborted(this.#sink.ready(), this.#signal);
  }

  async #freeServer(): Promise<void> {
    const sql = await openedUntilAborted(connectSql(this.#options.settings), this.#signal);
    try {
      await dropSlot(sql, this.#options.slot);
    } finally {
      await sql.close();
    }
  }

  async #session(): Promise<void> {
    const { settings } = this.#options;
    this.#onState({ state: 'connecting' });
    const sql = await openedUntilAborted(connectSql(settings), this.#signal);
    try {
      const link = await openedUntilAborted(connectReplication(settings), this.#signal);
      try {
        await this.#stream(sql, link);
      } finally {
        await link.close();
      }
    } finally {
      await sql.close();
    }
  }

  async #stream(sql: SqlConnection, link: ReplicationConnection): Promise<void> {
    const server = await identifyServer(link);
    await this.#recognise(sql, server);
    const slot = await readySlot(sql, link, this.#options.slot, this.#senderPid);
    const upstream = await readUpstream(sql);
    await sql.close();
    const held = Number(slot.serverEnd - slot.keepsFrom);
    if (held > this.#options.limitBytes) {
      const sizes: [string, string] = [formatSize(held), formatSize(this.#options.limitBytes)];
      throw errors.slotLimitReached([this.#options.slot, ...sizes]);
    }
    this.#senderPid = link.serverPid;
    const known = { serverLine: server.line, history: server.history, ...slot };
    // After a loss it goes on from what the new slot keeps, whatever older WAL happens to lie there still: asking for
    // that would hold it on production again.
    const resume = this.#loss ? undefined : this.#resume();
    let from = startingPoint({ ...known, resume });
    if (this.#loss) this.#floor = from;
    this.#loss = undefined;
    const { settings, timing } = this.#options;
    const watch = upstream.isStandby
      ? new UpstreamWatch(upstream, () => connectSql(settings), timing.statusMs)
      : undefined;
    try {
      for (;;) {
        await this.#tellLine(link, from.line, server);
        const next = await this.#receive(link, from, slot.keepsFrom, watch);
        from = { line: next.line, offset: segmentStart(next.offset, slot.segmentSizeBytes) };
      }
    } finally {
      await watch?.close();
    }
  }

  /** It must be the same cluster as ever; a slot of ours by an earlier name is removed. */
  async #recognise(sql: SqlConnection, server: ServerIdentity): Promise<void> {
    const { stateFolder, slot, settings } = this.#options;
    const { systemIdentifier } = server;
    const remembered = await readRemembered(stateFolder);
    if (remembered?.systemIdentifier === systemIdentifier) {
      if (remembered.slot === slot) return;
      await dropSlot(sql, remembered.slot);
    } else if (remembered !== undefined && this.#resume() !== undefined) {
      const names: [string, string] = [systemIdentifier, remembered.systemIdentifier];
      throw errors.otherCluster([addressOf(settings), ...names]);
    }
    await remember(stateFolder, { systemIdentifier, slot });
  }

  #resume(): JournalPosition | undefined {
    const resume = this.#sink.resumeFrom();
    const floor = this.#floor;
    if (floor === undefined || resume === undefined) return resume ?? floor;
    const isBefore =
      resume.line < floor.line || (resume.line === floor.line && resume.offset < floor.offset);
    return isBefore ? floor : resume;
  }

  /** The first timeline has no history. */
  async #tellLine(
    link: ReplicationConnection,
    line: number,
    server: ServerIdentity,
  ): Promise<void> {
    if (line === 1 || this.#toldLines.has(line)) return;
    const { raw, history } = line === server.line ? server : await readHistory(link, line);
    const parent = history.at(-1);
    if (parent === undefined) throw errors.protocolBroken([`timeline ${line} without a parent`]);
    const { forkOffset } = parent;
    await this.#sink.lineStarted({ line, parent: parent.line, forkOffset, raw });
    this.#toldLines.add(line);
  }

  #receive(
    link: ReplicationConnection,
    from: JournalPosition,
    keepsFrom: bigint,
    watch: UpstreamWatch | undefined,
  ): Promise<JournalPosition> {
    const { slot, limitBytes, timing, log } = this.#options;
    return receive({
      link,
      slot,
      from,
      sink: this.#sink,
      signal: this.#signal,
      timing,
      keepsFrom,
      limitBytes,
      askServerEnd: () => this.#askServerEnd(),
      upstream: () => watch?.latest(),
      onStreaming: () => {
        this.#backoffMs = timing.backoffMs.first;
        log.info({ slot, line: from.line, from: formatLsn(from.offset) }, 'WAL streaming');
        this.#onState({ state: 'streaming', since: systemClock.nowMs() });
      },
    });
  }

  async #askServerEnd(): Promise<bigint> {
    const sql = await openedUntilAborted(connectSql(this.#options.settings), this.#signal);
    try {
      return (await readSlot(sql, this.#options.slot)).serverEnd;
    } finally {
      await sql.close();
    }
  }
}

/** What time or the server's people mend without Holdfast being told. */
function isPassing(error: unknown): boolean {
  return (
    isHoldfastError(error) && (error.retryable || isHoldfastError(error, 'postgres/command-failed'))
  );
}
