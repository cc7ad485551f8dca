import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSpool, type Spool } from './spool.ts';

let folder: string;
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-spool-'));
});
afterEach(async () => {
  await fs.rm(folder, { recursive: true, force: true });
});

/** The byte that belongs at a place: any overlap of any two appends agrees, as in a real journal. */
const byteAt = (line: number, offset: bigint) => Number((offset * 31n + BigInt(line) * 7n) % 251n);

function bytesOf(line: number, offset: bigint, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let index = 0; index < length; index += 1)
    bytes[index] = byteAt(line, offset + BigInt(index));
  return bytes;
}

async function readAll(spool: Spool, line: number, from: bigint, to: bigint): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const frame of spool.read(line, from, to)) parts.push(frame.bytes);
  return Buffer.concat(parts);
}

async function spoolFiles(): Promise<string[]> {
  return (await fs.readdir(folder)).filter((name) => name.endsWith('.spool')).sort();
}

describe('spool', () => {
  it('keeps what was synced over a reopening, and cuts off a torn end', async () => {
    const spool = await openSpool(folder);
    spool.append(1, 1000n, bytesOf(1, 1000n, 500), 5);
    expect(await spool.sync()).toEqual({ line: 1, offset: 1500n });
    spool.append(1, 1500n, bytesOf(1, 1500n, 500), 6);
    await spool.sync();
    await spool.close();
    const [name] = await spoolFiles();
    const file = path.join(folder, name as string);
    await fs.truncate(file, (await fs.stat(file)).size - 1);
    const again = await openSpool(folder);
    expect(again.synced).toEqual({ line: 1, offset: 1500n });
    expect(await readAll(again, 1, 1000n, 2000n)).toEqual(bytesOf(1, 1000n, 500));
    again.append(1, 1500n, bytesOf(1, 1500n, 10), 7);
    expect(await again.sync()).toEqual({ line: 1, offset: 1510n });
    await again.close();
  });

  it('gives the same back before and after it was shipped, from memory and from the disk', async () => {
    const spool = await openSpool(folder, { fileSizeBytes: 3000 });
    let end = 0n;
    for (const length of [700, 2000, 1, 1300, 40, 2600]) {
      spool.append(1, end, bytesOf(1, end, length), 1);
      end += BigInt(length);
      await spool.sync();
    }
    for (const shippedTo of [0n, 2000n, end]) {
      spool.markShipped({ line: 1, offset: shippedTo });
      for (const [from, to] of [
        [0n, end],
        [699n, 2702n],
        [2701n, 4001n],
        [4040n, end],
      ] as const)
        expect(await readAll(spool, 1, from, to)).toEqual(bytesOf(1, from, Number(to - from)));
    }
    await spool.close();
  });

  it('finds a flipped byte and gives back only what lies before it', async () => {
    const spool = await openSpool(folder);
    for (let index = 0n; index < 10n; index += 1n) {
      spool.append(1, index * 100n, bytesOf(1, index * 100n, 100), 1);
      await spool.sync();
    }
    await spool.close();
    const [name] = await spoolFiles();
    const handle = await fs.open(path.join(folder, name as string), 'r+');
    await handle.write(Buffer.from([0xff]), 0, 1, 5 * 132 + 50);
    await handle.close();
    const again = await openSpool(folder);
    expect(again.stretches()).toMatchObject([{ line: 1, from: 0n, to: 500n }]);
    await again.close();
  });

  it('begins a new file at its bound and removes only whole files', async () => {
    const spool = await openSpool(folder, { fileSizeBytes: 1000 });
    for (let index = 0n; index < 10n; index += 1n) {
      spool.append(1, index * 600n, bytesOf(1, index * 600n, 600), 1);
      await spool.sync();
    }
    const before = (await spoolFiles()).length;
    expect(before).toBe(5);
    await spool.release({ line: 1, from: 0n, to: 2500n });
    expect(spool.stretches()).toMatchObject([{ from: 2400n, to: 6000n }]);
    expect((await spoolFiles()).length).toBe(3);
    await spool.release({ line: 1, from: 2400n, to: 6000n });
    expect((await spoolFiles()).length).toBe(1);
    await spool.close();
  });

  it('resolves sync while appends never pause', async () => {
    const spool = await openSpool(folder);
    let offset = 0n;
    const more = setInterval(() => {
      spool.append(1, offset, bytesOf(1, offset, 100), 1);
      offset += 100n;
    }, 0);
    try {
      for (let round = 0; round < 20; round += 1) {
        spool.append(1, offset, bytesOf(1, offset, 100), 1);
        offset += 100n;
        const wanted = offset;
        const synced = await spool.sync();
        expect(synced?.offset).toBeGreaterThanOrEqual(wanted);
      }
    } finally {
      clearInterval(more);
      await spool.close();
    }
  });

  it('says so when the disk is full, keeps what was synced and goes on when there is room', async () => {
    const script = `
      import { openSpool } from ${JSON.stringify(path.join(import.meta.dirname, 'spool.ts'))};
      const spool = await openSpool(process.argv[1]);
      spool.append(1, 0n, Buffer.alloc(20_000, 1), 1);
      await spool.sync();
      spool.append(1, 20_000n, Buffer.alloc(60_000, 1), 1);
      const said = [];
      await spool.sync().catch((error) => said.push(error.code));
      try { spool.append(1, 80_000n, Buffer.alloc(1), 1); } catch (error) { said.push(error.code); }
      said.push(String(spool.goOn().offset));
      spool.append(1, 20_000n, Buffer.alloc(30_000, 1), 1);
      said.push(String((await spool.sync()).offset), String(spool.unbrokenEnd({ line: 1, offset: 0n })));
      console.log(JSON.stringify(said));
    `;
    const { stdout } = await promisify(execFile)('prlimit', [
      '--fsize=65536',
      process.execPath,
      '--input-type=module-typescript',
      '-e',
      script,
      folder,
    ]);
    expect(JSON.parse(stdout)).toEqual([
      'repository/spool-full',
      'repository/spool-full',
      '20000',
      '50000',
      '50000',
    ]);
  });

  it('agrees with a model under random appends, overlaps, jumps, syncs and crashes', async () => {
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          do: fc.constant('append' as const),
          length: fc.integer({ min: 1, max: 900 }),
          back: fc.integer({ min: -200, max: 300 }),
        }),
      },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('sync' as const) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('line' as const) }) },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant('crash' as const),
          torn: fc.integer({ min: 0, max: 1500 }),
        }),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        await runAgainstModel(steps);
      }),
      { numRuns: 40 },
    );
  });
});

type Step =
  | { do: 'append'; length: number; back: number }
  | { do: 'sync' }
  | { do: 'line' }
  | { do: 'crash'; torn: number };

/** Everything that was synced is read back byte for byte, whatever happened in between; nothing foreign is. */
async function runAgainstModel(steps: readonly Step[]): Promise<void> {
  const home = await fs.mkdtemp(path.join(folder, 'run-'));
  let spool = await openSpool(home, { fileSizeBytes: 2000 });
  const acknowledged: { line: number; from: bigint; to: bigint }[] = [];
  let unsynced: { line: number; from: bigint; to: bigint }[] = [];
  let line = 1;
  let end = 10_000n;
  for (const step of steps) {
    if (step.do === 'append') {
      const offset = end - BigInt(step.back);
      spool.append(line, offset, bytesOf(line, offset, step.length), 1);
      unsynced.push({ line, from: offset, to: offset + BigInt(step.length) });
      end = offset + BigInt(step.length);
    } else if (step.do === 'sync') {
      await spool.sync();
      acknowledged.push(...unsynced);
      unsynced = [];
    } else if (step.do === 'line') line += 1;
    else {
      // As after kill -9: gathered bytes are gone, and a frame may be half in the newest file.
      await spool.close();
      await tearNewestFile(home, step.torn);
      spool = await openSpool(home, { fileSizeBytes: 2000 });
      unsynced = [];
    }
  }
  for (const span of acknowledged) {
    const bytes = await readAll(spool, span.line, span.from, span.to);
    expect(bytes.equals(bytesOf(span.line, span.from, Number(span.to - span.from)))).toBe(true);
  }
  await spool.close();
  await fs.rm(home, { recursive: true });
}

async function tearNewestFile(home: string, tornBytes: number): Promise<void> {
  const names = await fs.readdir(home);
  const serial = (name: string) => Number.parseInt(name.split('-')[2] as string, 16);
  const newest = names.sort((a, b) => serial(a) - serial(b)).at(-1);
  if (newest && tornBytes > 0)
    await fs.appendFile(path.join(home, newest), Buffer.alloc(tornBytes, 0x48));
}
