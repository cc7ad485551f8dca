/** What every source must keep to: run it on each, beside its own tests. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyMetadata, HoldfastError, makeFifo, quietLogger, silent } from '#base';
import type {
  Capture,
  CaptureEvent,
  CaptureOutcome,
  RecoveredStore,
  Source,
  SourceContext,
  StoreSettings,
} from './source.ts';

export type ConformanceSubject<Own> = {
  source: Source<Own>;
  /** A store that can be reached and holds some data, files and folders of several depths. */
  store: StoreSettings<Own>;
  /** Its own fields as people write them. */
  declared: Readonly<Record<string, unknown>>;
  /** The same store at an address where nothing is. */
  absent: StoreSettings<Own>;
  /** User that runs and owns recovered copies, where the source needs one. */
  owner?: string;
  /** Port for recovered copies, where the source serves. */
  port?: number;
  /** Fails unless the recovered store holds what the store held when it was captured. */
  expectEqual: (recovered: RecoveredStore) => Promise<void>;
  dispose: () => Promise<void>;
};

type CaptureEntry = CaptureEvent & { kind: 'entry' };

/** `prepare` is called once; the subject must not change while the suite runs. */
export function describeSourceConformance<Own>(
  name: string,
  prepare: () => Promise<ConformanceSubject<Own>>,
): void {
  describe(`${name} keeps to what a source is`, () => {
    let subject: ConformanceSubject<Own>;
    let scratch: string;
    beforeAll(async () => {
      subject = await prepare();
      scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-conformance-'));
      // Copies may run as another user, who must reach them.
      fs.chmodSync(scratch, 0o711);
    });
    afterAll(async () => {
      await subject?.dispose();
      fs.rmSync(scratch, { recursive: true, force: true });
    });

    const context = (signal = new AbortController().signal): SourceContext => {
      const stateFolder = path.join(scratch, 'state');
      fs.mkdirSync(stateFolder, { recursive: true, mode: 0o700 });
      return { log: quietLogger, progress: silent, signal, stateFolder };
    };
    const capture = (signal?: AbortSignal) =>
      subject.source.capture(subject.store, { hasPrevious: false }, context(signal));

    it('takes its own settings and refuses unknown ones', () => {
      const { schema } = subject.source;
      expect(schema.safeParse(subject.declared)).toMatchObject({ data: subject.store.own });
      const misspelt = { ...subject.declared, exclud: true };
      expect(schema.safeParse(misspelt).success).toBe(false);
    });

    it('inspects what is there and what is not', async () => {
      const { source, store, absent } = subject;
      const there = await source.inspect(store, context());
      expect(there.reachable).toBe(true);
      expect(there.method).not.toBe('');
      expect(there.sizeBytes).toBeGreaterThan(0);
      expect(JSON.parse(JSON.stringify(there.facts))).toEqual(there.facts);
      const { findings, ...away } = await source.inspect(absent, context());
      expect(away.reachable).toBe(false);
      expect(findings.map(({ severity }) => severity)).toContain('refuse');
    });

    it('answers with one of its errors where nothing can be captured', async () => {
      const failing = subject.source.capture(subject.absent, { hasPrevious: false }, context());
      await expect(failing).rejects.toBeInstanceOf(HoldfastError);
    });

    it('gives consistent events and an outcome', async () => {
      const one = await capture();
      const events = await readAll(one);
      const outcome = await one.outcome();
      await one.close();
      await one.close();
      expectConsistent(events);
      expect(outcome.start.offset <= outcome.end.offset).toBe(true);
      expect(JSON.parse(JSON.stringify(outcome.facts))).toEqual(outcome.facts);
      expect(path.isAbsolute(one.root)).toBe(true);
    });

    it('can be closed before anything was read', async () => {
      const one = await capture();
      await one.close();
      await one.close();
    });

    it('stops when it is aborted', async () => {
      const stop = new AbortController();
      const one = await capture(stop.signal);
      stop.abort(new Error('stopped by the test'));
      await expect(readAll(one)).rejects.toThrow();
      await one.close();
    });

    it('brings back what it captured', async () => {
      const directory = path.join(scratch, 'copy');
      const one = await capture();
      const outcome = await materialise(one, directory);
      await one.close();
      const recovered = await recover(subject, outcome, { directory, scratch, context: context() });
      try {
        await subject.expectEqual(recovered);
      } finally {
        await subject.source.stop?.(directory, context());
      }
    });
  });
}

async function recover<Own>(
  subject: ConformanceSubject<Own>,
  capture: CaptureOutcome,
  at: { directory: string; scratch: string; context: SourceContext },
): Promise<RecoveredStore> {
  const scratch = path.join(at.scratch, 'scratch');
  fs.mkdirSync(scratch, { mode: 0o700 });
  const { source, owner, port } = subject;
  return await source.recover(
    {
      capture,
      directory: at.directory,
      scratch,
      mode: 'beside',
      ...(owner !== undefined && { owner }),
      ...(port !== undefined && { port }),
    },
    at.context,
  );
}

async function readAll(capture: Capture): Promise<CaptureEvent[]> {
  const events: CaptureEvent[] = [];
  for await (const event of capture.events()) {
    events.push(event);
    if (event.kind !== 'entry' || event.content.from !== 'stream') continue;
    for await (const _ of event.content.bytes);
  }
  return events;
}

function expectConsistent(events: readonly CaptureEvent[]): void {
  const given = new Set<string>();
  const left: string[] = [];
  for (const event of events) {
    const at = event.path.toString('latin1');
    expect(event.kind, `${at}: no previous capture, nothing to reuse`).not.toBe('reuse');
    expect(at.split('/'), 'relative, without . and ..').not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^\.{1,2}$/)]),
    );
    expect(at.startsWith('/') || at.endsWith('/')).toBe(false);
    const leftAbove = left.filter((above) => above === '' || at.startsWith(`${above}/`));
    expect(leftAbove, `${at}: its folder was left before`).toEqual([]);
    if (event.kind === 'leave') left.push(at);
    if (event.kind !== 'entry') continue;
    expect(given, `${at}: once`).not.toContain(at);
    given.add(at);
    const isFile = event.metadata.kind === 'file';
    expect(event.content.from === 'nothing', `${at}: content for files only`).toBe(!isFile);
  }
  expect(given.size).toBeGreaterThan(1);
}

/** Writes a capture to disk in the plainest way; metadata of folders last, as a restore does it. */
async function materialise(capture: Capture, directory: string): Promise<CaptureOutcome> {
  fs.mkdirSync(directory, { mode: 0o700 });
  const folders: [Buffer, CaptureEntry][] = [];
  for await (const event of capture.events()) {
    if (event.kind === 'problem') throw new Error(`${event.path}: ${event.what}`);
    if (event.kind !== 'entry') continue;
    const at = Buffer.concat([Buffer.from(`${directory}/`), event.path]);
    if (event.metadata.kind === 'dir') {
      fs.mkdirSync(at, { recursive: true, mode: 0o700 });
      folders.push([at, event]);
      continue;
    }
    await writeEntry(at, event);
    applyMetadata(at, event.metadata, { owner: 'recorded' });
  }
  for (const [at, { metadata }] of folders.reverse()) {
    applyMetadata(at, metadata, { owner: 'recorded' });
  }
  return await capture.outcome();
}

async function writeEntry(at: Buffer, { metadata, content }: CaptureEntry): Promise<void> {
  if (metadata.kind === 'symlink') fs.symlinkSync(metadata.linkTarget ?? '', at);
  else if (metadata.kind === 'fifo') makeFifo(at, 0o600);
  else if (content.from === 'path') fs.copyFileSync(content.absolutePath, at);
  else if (content.from === 'stream') await fs.promises.writeFile(at, content.bytes);
}
