import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TarReader } from './tar.ts';

type Member = { path: string; kind: string; content: string; permissions: number; link: string };

/** Reads an archive in pieces of these sizes, by turns. */
function membersOf(archive: Buffer, sizes: number[]): { members: Member[]; isWhole: boolean } {
  const reader = new TarReader();
  const members: Member[] = [];
  let open: Member | undefined;
  for (let at = 0, turn = 0; at < archive.length; turn += 1) {
    const size = sizes[turn % sizes.length] as number;
    const piece = archive.subarray(at, at + size);
    at += size;
    if (open && reader.takesAsContent(piece)) {
      open.content += piece.toString('latin1');
      continue;
    }
    for (const part of reader.read(piece)) {
      if (part.kind === 'entry') {
        const { path: name, kind, permissions, linkTarget } = part.entry;
        open = {
          path: name.toString(),
          kind,
          content: '',
          permissions,
          link: linkTarget.toString(),
        };
        members.push(open);
      } else if (part.kind === 'content' && open) open.content += part.bytes.toString('latin1');
    }
  }
  return { members, isWhole: reader.isBetweenEntries };
}

describe('archives of GNU tar', () => {
  const long = `${'d'.repeat(90)}/${'e'.repeat(90)}/${'f'.repeat(120)}`;
  let folder: string;
  beforeAll(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-tar-'));
    fs.mkdirSync(path.join(folder, 'in', path.dirname(long)), { recursive: true });
    fs.writeFileSync(path.join(folder, 'in', 'small'), 'hello', { mode: 0o600 });
    fs.writeFileSync(path.join(folder, 'in', 'empty'), '', { mode: 0o640 });
    fs.writeFileSync(path.join(folder, 'in', long), 'x'.repeat(1300));
    fs.symlinkSync(`/${'t'.repeat(150)}`, path.join(folder, 'in', 'link'));
  });
  afterAll(() => fs.rmSync(folder, { recursive: true }));

  test.each(['ustar', 'pax', 'gnu'])('of the kind %s are read whatever the pieces', (kind) => {
    const names = kind === 'ustar' ? ['small', 'empty'] : ['small', 'empty', long, 'link'];
    const archive = execFileSync('tar', [`--format=${kind}`, '-cf', '-', ...names], {
      cwd: path.join(folder, 'in'),
    });
    const whole = membersOf(archive, [archive.length]);
    expect(whole.isWhole).toBe(true);
    expect(whole.members.map((member) => member.path)).toEqual(names);
    expect(whole.members[0]).toMatchObject({ kind: 'file', content: 'hello', permissions: 0o600 });
    if (kind !== 'ustar') {
      expect(whole.members[2]?.content).toBe('x'.repeat(1300));
      expect(whole.members[3]).toMatchObject({ kind: 'symlink', link: `/${'t'.repeat(150)}` });
    }
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1 }), (sizes) => {
        expect(membersOf(archive, sizes)).toEqual(whole);
      }),
      { numRuns: 30 },
    );
  });

  test('a flipped bit in a header is told', () => {
    const archive = execFileSync('tar', ['-cf', '-', 'small'], { cwd: path.join(folder, 'in') });
    archive[10] = (archive[10] as number) ^ 4;
    expect(() => membersOf(archive, [512])).toThrow(
      expect.objectContaining({ code: 'postgres/protocol-broken' }),
    );
  });

  test('any bytes are read or refused, never more', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2048 }), (bytes) => {
        try {
          membersOf(Buffer.from(bytes), [100, 512]);
        } catch (error) {
          expect(error).toMatchObject({ code: 'postgres/protocol-broken' });
        }
      }),
    );
  });
});
