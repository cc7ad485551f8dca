import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HoldfastError } from '#base';
import { decodeTree } from './decode-tree.ts';
import { takeUsualLinks } from './usual-links.ts';

const id = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('hex'));
const time = fc.constantFrom(
  ...['2026-11-21T10:42:07Z', '2026-11-21T10:42:07.123456789Z', '1999-01-02T03:04:05.5Z'],
  ...['2026-11-21T10:42:07+01:00', '2026-13-21T10:42:07Z', 'soon', ''],
);
const number = fc.oneof(
  fc.nat(),
  fc.constantFrom(0, 0o644, 2 ** 31 + 0o755, 2 ** 32, 2 ** 53, -1, 1.5),
);
const text = fc.oneof(fc.constantFrom('root', '', 'é', 'a"b', 'a\\b', 'a\nb'), fc.string());
const name = fc.oneof(fc.constantFrom('.', '..', '...', '.a', 'a/b', 'é', ''), fc.string());

const rare = <T>(usual: fc.Arbitrary<T>, other: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 30, arbitrary: usual }, { weight: 1, arbitrary: other });
const plain = fc.stringMatching(/^[a-z]{1,8}$/);
const usualTime = fc.constantFrom('2026-11-21T10:42:07Z', '1999-01-02T03:04:05.5Z');

/** In the order in which writers put them. */
const node = fc.record(
  {
    name: rare(plain, name),
    type: rare(fc.constantFrom('file', 'dir'), fc.constantFrom('symlink', 'fifo', 'odd')),
    mode: rare(fc.nat(0o777), number),
    ...{ mtime: rare(usualTime, time), atime: rare(usualTime, time) },
    ...{ uid: rare(fc.nat(), number), user: rare(plain, text) },
    ...{ size: rare(fc.nat(), number), linktarget: rare(plain, text) },
    device: fc.constantFrom(...[...Array(20).fill(undefined), 7]),
    content: rare(fc.array(id, { maxLength: 3 }), fc.constantFrom(null, ['00'], 'x')),
    subtree: rare(id, fc.constantFrom(null, 'x')),
  },
  { requiredKeys: ['name', 'type'] },
);
const nodes = fc
  .array(node, { maxLength: 5 })
  .chain((all) =>
    rare(
      fc.constant([...all].sort((a, b) => (`${a.name}` < `${b.name}` ? -1 : 1))),
      fc.constant(all),
    ),
  )
  .map((all) => Buffer.from(JSON.stringify({ nodes: all })));
const harm = fc.option(fc.tuple(fc.nat(), fc.constantFrom(...Buffer.from('"\\,:{}[] 0aZ\n\0'))), {
  freq: 2,
});

function taken(bytes: Buffer): string[] | undefined {
  const links: string[] = [];
  const isUsual = takeUsualLinks(bytes, (type, link) => {
    links.push(`${type} ${Buffer.from(link).toString('hex')}`);
  });
  return isUsual ? links : undefined;
}

function decoded(bytes: Buffer): string[] | HoldfastError {
  const links: string[] = [];
  try {
    for (const { content, subtree } of decodeTree(bytes)) {
      for (let at = 0; content && at < content.length; at += 32) {
        links.push(`data ${content.toString('hex', at, at + 32)}`);
      }
      if (subtree !== undefined) links.push(`tree ${subtree}`);
    }
    return links;
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
}

test('what is taken at once is what decoding gives, and nothing that it refuses', () => {
  let usual = 0;
  fc.assert(
    fc.property(nodes, harm, (whole, change) => {
      const bytes = Buffer.from(whole);
      if (change) bytes[change[0] % bytes.length] = change[1];
      const links = taken(bytes);
      if (!links) return;
      usual += 1;
      expect(links).toEqual(decoded(bytes));
    }),
    { numRuns: 3_000 },
  );
  expect(usual).toBeGreaterThan(100);
});

test('trees are taken as restic and Holdfast write them', () => {
  const zeros = '0'.repeat(64);
  const rest =
    '"mode":420,"mtime":"2026-11-21T10:42:07.5Z","atime":"2026-11-21T10:42:07.5Z","ctime":"2026-11-21T10:42:07.5Z","uid":0,"gid":0,"user":"root","group":"root","inode":18446744073,"size":3,"links":1';
  const tree = `{"nodes":[{"name":"a b","type":"file",${rest},"content":["${zeros}"]},{"name":"c","type":"dir",${rest},"content":null,"subtree":"${zeros}"}]}\n`;
  expect(taken(Buffer.from(tree))).toEqual([`data ${zeros}`, `tree ${zeros}`]);
  expect(taken(Buffer.from('{"nodes":[]}'))).toEqual([]);
  expect(taken(Buffer.from(tree.slice(0, -3)))).toBeUndefined();
});
