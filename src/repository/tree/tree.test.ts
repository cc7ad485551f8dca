import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { type FileKind, HoldfastError } from '#base';
import { decodeTree } from './decode-tree.ts';
import { encodeTree, isPathComponent } from './encode-tree.ts';
import { FILE_KINDS } from './go-mode.ts';
import { isUtf8, quoteName, unquoteName } from './go-text.ts';
import { formatGoTime, parseGoTime } from './go-time.ts';
import type { TreeNode } from './node.ts';

const bare: TreeNode = {
  name: Buffer.from('x'),
  kind: 'file',
  permissions: 0o644,
  mtimeNs: 0n,
  atimeNs: 0n,
  ctimeNs: 0n,
  uid: 0,
  gid: 0,
  user: '',
  group: '',
  inode: 0n,
  deviceId: 0n,
  links: 0n,
  sizeBytes: 0n,
  xattrs: [],
};

const encode = (...nodes: TreeNode[]) => Buffer.concat(encodeTree(nodes));
const decode = (text: string | Buffer) => [...decodeTree(Buffer.from(text))];
const thrownBy = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
};

const zone = process.env.TZ;
afterEach(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const timeNs = fc.bigInt({ min: parseGoTime('0002-01-01T00:00:00Z') as bigint, max: 2n ** 63n });
const bytes = (minLength: number, maxLength: number) =>
  fc.uint8Array({ minLength, maxLength }).map((array) => Buffer.from(array));
const utf8 = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 12 })
  .map((text) => Buffer.from(text));
const name = fc.oneof(bytes(1, 20), utf8).filter(isPathComponent);
const id = bytes(32, 32);

const nodeOf = (kind: FileKind): fc.Arbitrary<TreeNode> => {
  const hasLinks = kind === 'file' || kind === 'symlink' || kind === 'dev' || kind === 'chardev';
  return fc.record({
    name,
    kind: fc.constant(kind),
    permissions: fc.nat({ max: 0o7777 }),
    mtimeNs: timeNs,
    atimeNs: timeNs,
    ctimeNs: timeNs,
    uid: fc.nat({ max: 0xffff_ffff }),
    gid: fc.nat({ max: 0xffff_ffff }),
    user: fc.string({ unit: 'binary' }),
    group: fc.string({ unit: 'grapheme' }),
    inode: uint64,
    deviceId: uint64,
    links: hasLinks ? uint64 : fc.constant(0n),
    sizeBytes: kind === 'file' ? uint64 : fc.constant(0n),
    xattrs: fc.array(fc.record({ name: utf8, value: bytes(0, 30) }), { maxLength: 3 }),
    ...(kind === 'symlink' && {
      linkTarget: fc.oneof(bytes(1, 20), utf8).filter((target) => !target.includes(0)),
    }),
    ...((kind === 'dev' || kind === 'chardev') && {
      device: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
    }),
    ...(kind === 'file' && {
      content: fc.array(id, { maxLength: 4 }).map((ids) => Buffer.concat(ids)),
    }),
    ...(kind === 'dir' && { subtree: id.map((one) => one.toString('hex')) }),
  });
};

const sortedNodes = fc.array(fc.oneof(...FILE_KINDS.map(nodeOf)), { maxLength: 8 }).map((nodes) => {
  const byName = new Map(nodes.map((node) => [node.name.toString('hex'), node]));
  return [...byName.values()].sort((a, b) => Buffer.compare(a.name, b.name));
});

describe('a tree', () => {
  test('comes back as it was', () => {
    fc.assert(
      fc.property(sortedNodes, (nodes) => {
        const once = encode(...nodes);
        expect(decode(once)).toEqual(nodes);
        expect(encode(...decode(once)).equals(once)).toBe(true);
      }),
    );
  });

  test('is what JSON.parse reads too, whatever the names', () => {
    fc.assert(
      fc.property(sortedNodes, (nodes) => {
        const parsed = JSON.parse(encode(...nodes).toString()) as { nodes: { name: string }[] };
        expect(parsed.nodes.map((node) => unquoteName(Buffer.from(node.name)))).toEqual(
          nodes.map((node) => node.name),
        );
      }),
    );
  });

  test('has the fields in the order of restic, and none that are empty', () => {
    process.env.TZ = 'UTC';
    const full: TreeNode = {
      ...bare,
      name: Buffer.from('tab\t"é\u{10ffff}'),
      permissions: 0o4711,
      mtimeNs: 1_500_000_000_100_000_000n,
      user: '<root>',
      inode: 2n ** 64n - 1n,
      sizeBytes: 7n,
      xattrs: [{ name: Buffer.from('user.a'), value: Buffer.from('b') }],
      content: Buffer.alloc(32, 0xab),
    };
    const empty: TreeNode = { ...bare, name: Buffer.from('zero'), permissions: 0 };
    expect(encode(full, empty).toString()).toBe(
      String.raw`{"nodes":[{"name":"tab\\t\\\"é\\U0010ffff","type":"file","mode":8389065,` +
        '"mtime":"2017-07-14T02:40:00.1Z","atime":"1970-01-01T00:00:00Z","ctime":"1970-01-01T00:00:00Z",' +
        String.raw`"uid":0,"gid":0,"user":"\u003croot\u003e","inode":18446744073709551615,"size":7,` +
        `"extended_attributes":[{"name":"user.a","value":"Yg=="}],"content":["${'ab'.repeat(32)}"]},` +
        '{"name":"zero","type":"file","mtime":"1970-01-01T00:00:00Z","atime":"1970-01-01T00:00:00Z",' +
        '"ctime":"1970-01-01T00:00:00Z","uid":0,"gid":0,"content":[]}]}\n',
    );
    expect(encode().toString()).toBe('{"nodes":[]}\n');
  });

  test('keeps link targets that are not UTF-8 beside what restic 0.14 makes of them', () => {
    const link: TreeNode = { ...bare, kind: 'symlink', linkTarget: Buffer.from('a\xff', 'latin1') };
    const text = encode(link).toString();
    expect(text).toContain(String.raw`"linktarget":"a\ufffd","linktarget_raw":"Yf8="`);
    expect(text).toContain('"content":null}');
    expect(decode(text)).toEqual([link]);
  });

  test('of a large file has no part that grows with the file', () => {
    const ids = 100_000;
    const parts = encodeTree([{ ...bare, content: Buffer.alloc(ids * 32, 7) }]);
    expect(Math.max(...parts.map(({ length }) => length))).toBeLessThan(1_000_000);
    expect(decode(Buffer.concat(parts))[0]?.content?.length).toBe(ids * 32);
  });

  test('is refused where names are out of order, twice or no names', () => {
    const named = (text: string) => ({ ...bare, name: Buffer.from(text) });
    // The astral one comes first in JavaScript, last as bytes.
    expect(() => encodeTree([named('\uffee'), named('\u{1f600}')])).not.toThrow();
    expect(() => encodeTree([named('b'), named('a')])).toThrow('the entry "a" comes after "b"');
    expect(() => encodeTree([named('a'), named('a')])).toThrow('each name must come once');
    for (const bad of ['', '.', '..', 'a/b', 'a\0']) {
      expect(() => encodeTree([named(bad)])).toThrow("can't be the name of an entry");
    }
  });
});

describe('trees of others', () => {
  const file = (fields: string) => `{"nodes":[{"name":"a","type":"file"${fields}}]}`;

  test('may lack fields, have others, and be spaced and escaped as they like', () => {
    const [node] = decode(
      ' { "later" : [{"x":[1.5e3,true,null]}] , "nodes" : [ {' +
        String.raw`"name":"\u0061\ud83d\ude00\\xff",` +
        '"type":"file","generic_attributes":{"a":{"b":[]}},"mtime":"2020-02-29T12:00:00+05:30",' +
        '"user":null}]}\n\n',
    );
    expect(node).toMatchObject({
      name: Buffer.concat([Buffer.from('a\u{1f600}'), Buffer.of(0xff)]),
      mtimeNs: 1_582_957_800_000_000_000n,
      content: Buffer.alloc(0),
      user: '',
    });
    expect(decode('{"nodes":null}')).toEqual([]);
    expect(decode('{}')).toEqual([]);
  });

  test.each([
    ['', '"{" is missing'],
    ['{"nodes":[', '"{" is missing'],
    ['{"nodes":[]', '"}" is missing'],
    ['{"nodes":[]}x', 'something follows its end'],
    ['{"nodes":[{"type":"file"}]}', 'an entry has no name'],
    ['{"nodes":[{"name":"../x","type":"file"}]}', `"../x" can't be the name`],
    ['{"nodes":[{"name":"a","type":"irregular"}]}', 'unknown type "irregular"'],
    ['{"nodes":[{"name":"a","type":"symlink"}]}', 'has no usable target'],
    [String.raw`{"nodes":[{"name":"a\\q","type":"file"}]}`, 'not quoted as Go quotes'],
    ['{"nodes":[{"name":"a\n","type":"file"}]}', 'a control character'],
    ['{"nodes":[{"name":"a', 'a string has no end'],
    [file(',"inode":18446744073709551616'), 'not within 64 bits'],
    [file(',"inode":-1'), 'not within 64 bits'],
    [file(',"uid":4294967296'), 'not within 32 bits'],
    [file(',"mtime":"2020-13-01T00:00:00Z"'), 'not as in RFC 3339'],
    [file(`,"content":["${'g'.repeat(64)}"]`), 'not 64 hex digits'],
    [file(',"content":["ab"]'), 'not 64 hex digits'],
    [file(',"extended_attributes":[{"name":"a","value":"=="}]'), 'not base64'],
    [file(`,"deep":${'['.repeat(5000)}`), 'more than 64 levels'],
    [file(',"x":tru'), 'a value is none'],
    [file(',"x":1e'), 'a value is none'],
  ])('that are damaged are said to be so: %s', (text, why) => {
    const error = thrownBy(() => decode(text));
    expect(error).toMatchObject({ code: 'repository/tree-damaged' });
    expect((error as HoldfastError).message).toContain(why);
  });

  test('that are damaged anywhere give a HoldfastError or another tree, and nothing else', () => {
    fc.assert(
      fc.property(
        sortedNodes,
        fc.array(fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }) }), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.nat(),
        (nodes, changes, cut) => {
          const damaged = encode(...nodes);
          for (const { at, byte } of changes) damaged[at % damaged.length] = byte;
          const whole = cut % 2 === 0 ? damaged : damaged.subarray(0, cut % damaged.length);
          const error = thrownBy(() => decode(whole));
          expect(error === undefined || error instanceof HoldfastError).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('what Go writes', () => {
  test('names come back from their quotes, which are printable UTF-8', () => {
    fc.assert(
      fc.property(fc.oneof(bytes(0, 40), utf8), (raw) => {
        const quoted = Buffer.from(quoteName(raw), 'latin1');
        expect(isUtf8(quoted)).toBe(true);
        expect(quoted.every((byte) => byte >= 0x20 && byte !== 0x7f)).toBe(true);
        expect(unquoteName(quoted)?.equals(raw)).toBe(true);
      }),
    );
  });

  test('bytes are UTF-8 where the decoder of the platform says so', () => {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    fc.assert(
      fc.property(fc.oneof(bytes(0, 6), utf8), (raw) => {
        expect(isUtf8(raw)).toBe(thrownBy(() => decoder.decode(raw)) === undefined);
      }),
      { numRuns: 500 },
    );
  });

  test.each(['UTC', 'Europe/Berlin', 'America/St_Johns', 'Pacific/Apia'])(
    'times come back from %s to the nanosecond',
    (timeZone) => {
      process.env.TZ = timeZone;
      fc.assert(
        fc.property(timeNs, (ns) => {
          expect(parseGoTime(formatGoTime(ns))).toBe(ns);
        }),
      );
    },
  );

  test.each([
    ['UTC', 0n, '1970-01-01T00:00:00Z'],
    ['UTC', -1n, '1969-12-31T23:59:59.999999999Z'],
    ['UTC', 1_000_000_100n, '1970-01-01T00:00:01.0000001Z'],
    ['Europe/Berlin', 1_657_000_000_000_000_000n, '2022-07-05T07:46:40+02:00'],
    ['America/St_Johns', 1_669_000_000_000_000_000n, '2022-11-20T23:36:40-03:30'],
    // Until 1893 Berlin was 53 min 28 s ahead. What is written says whole minutes, and the instant exactly.
    ['Europe/Berlin', -3_000_000_000_000_000_000n, '1874-12-07T19:33:00+00:53'],
    ['UTC', 300_000_000_000_000_000_000n, '9999-08-15T05:20:00Z'],
    ['UTC', -70_000_000_000_000_000_000n, '0000-10-15T19:33:20Z'],
  ])('in %s, %d is %s', (timeZone, ns, text) => {
    process.env.TZ = timeZone;
    expect(formatGoTime(ns)).toBe(text);
  });
});
