import assert from 'node:assert/strict';
import { show } from '../calls.js';
import type { Context } from '../context.js';
import { group, type Level, type Requirement } from '../requirement.js';
import { source } from '../sources.js';

/**
 * Each id answers with its own session and no other: before any is stored, when all are, and while one after the other
 * is destroyed. With `refusable` an id may be refused with an error instead.
 */
async function areExact(t: Context, ids: readonly string[], refusable: boolean): Promise<void> {
  const stored = new Map<string, number>();
  const isExact = async (id: string, when: () => string) => {
    const { error, value } = await t.attempt('get', id);
    if (error && refusable && !stored.has(id)) return;
    if (error) assert.fail(`${when()}, get of ${show([id])} answered with an error: ${show(error)}`);
    const mark = typeof value === 'object' && value !== null ? Reflect.get(value, 'mark') : 'nothing';
    const expected = stored.get(id) ?? 'nothing';
    // The sentence is only made when it is needed: these are thousands of looks.
    if (mark !== expected)
      assert.fail(`${when()}, ${show([id])} answers with ${show(mark)} instead of ${expected}`);
  };
  const check = (when: () => string) => Promise.all(ids.map((id) => isExact(id, when)));

  await check(() => 'Before any is stored');
  for (const [mark, id] of ids.entries()) {
    const { error } = await t.attempt('set', id, t.session({ mark }));
    assert.ok(refusable || !error, `${show([id])} was refused: ${show(error)}`);
    if (!error) stored.set(id, mark);
  }
  await check(() => 'When all are stored');
  for (const id of stored.keys()) {
    await t.destroy(id);
    stored.delete(id);
    await check(() => `When ${show([id])} was destroyed`);
  }
}

const families: readonly {
  id: string;
  level?: Level;
  title: string;
  why: string;
  ids: readonly string[];
  refusable?: boolean;
}[] = [
  {
    id: 'IDS-001',
    title: 'Ids of the kinds that express-session and UUID libraries make work',
    why: 'Nobody could log in.',
    ids: [
      'QmFzZTY0-dXJs_aWQtb2YtMzItY2hhcnM',
      '-UQfIdgNRhBIsSbeK1ZcOBQbkQkLXm9H',
      '_7f3b1f0e-8a55-4f0c-9d3e-2b6c1d9a7e10',
      '01J9ZQ3W8N5T6V7X8Y9Z0A1B2C',
    ],
  },
  {
    id: 'IDS-002',
    title: 'Ids that differ in case are different',
    why: "The ids that express-session makes are case-sensitive; folding them lets one user into another's session.",
    ids: ['AbCdEf', 'abcdef', 'ABCDEF', 'abcdeF'],
  },
  {
    id: 'IDS-003',
    title: 'Ids that begin with one another are different',
    why: "A comparison of prefixes answers with somebody else's session.",
    ids: ['a', 'ab', 'abc', 'abcd', 'b', '0', '00'],
  },
  {
    id: 'IDS-004',
    title: 'Ids that differ in spaces are different',
    why: 'Databases that pad text compare trailing spaces away.',
    ids: ['id', 'id ', ' id', 'id  ', 'i d', 'id\t'],
    refusable: true,
  },
  {
    id: 'IDS-005',
    title: 'Glob characters in ids match nothing but themselves',
    why: 'A cookie with an asterisk would read or end the sessions of others.',
    ids: ['*', 'a*', '?b', '[ab]c', 'ab', 'ac', 'abc', 'h?llo', 'hello', 'h[^x]llo', '{a,b}'],
    refusable: true,
  },
  {
    id: 'IDS-006',
    title: 'Quotes, backslashes and query characters in ids match nothing but themselves',
    why: 'An id is text that came over the network; read as part of a query it does what its sender wants.',
    ids: [
      "'",
      '"',
      '`',
      '\\',
      "' OR '1'='1",
      '"; DROP TABLE sessions; --',
      '%',
      'a_b',
      'a%b',
      'axb',
      '$ne',
      '{"$gt":""}',
    ],
    refusable: true,
  },
  {
    id: 'IDS-007',
    title: 'Names that every JavaScript object has are ordinary ids',
    why: 'A visitor with such a cookie gets an object that is no session, or changes all of them.',
    ids: ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype', 'valueOf', 'length'],
    refusable: true,
  },
  {
    id: 'IDS-008',
    title: 'Ids in other scripts are compared exactly',
    why: 'Collations and normal forms take different texts for equal.',
    ids: [
      'é',
      'e\u0301',
      'e',
      'ß',
      'ss',
      'ı',
      'i',
      'Ａ',
      'A',
      '漢',
      '👩‍🚀',
      '👩',
      '😀',
      '😁',
      '\u200bx',
      'x',
    ],
    refusable: true,
  },
  {
    id: 'IDS-009',
    title: 'Path, key and control characters in ids match nothing but themselves',
    why: 'An id that is used as a file name or as part of a key reaches data outside of the store.',
    ids: [
      'a:b',
      ':',
      '/',
      'a/b',
      '..',
      '../a',
      '.',
      'a.b',
      '%2e',
      'a\nb',
      'a\rb',
      'a\0b',
      'a\0',
      'a',
      '\u007f',
    ],
    refusable: true,
  },
  {
    id: 'IDS-010',
    level: 'SHOULD',
    title: 'Ids of 128 characters work',
    why: 'genid may join a user, a tenant and random text.',
    ids: [`${'a'.repeat(127)}b`, `${'a'.repeat(127)}c`],
  },
  {
    id: 'IDS-011',
    title: 'Long ids are never shortened',
    why: 'What is cut off is the random part; the rest may be the same for many.',
    ids: [64, 128, 256, 1_000, 70_000].flatMap((size) =>
      ['b', 'c'].map((end) => `${'a'.repeat(size)}${end}`),
    ),
    refusable: true,
  },
  {
    id: 'IDS-012',
    level: 'SHOULD',
    title: 'Ids that are not well-formed Unicode are refused or compared exactly',
    why: 'Encoded as UTF-8 they all become the same replacement character.',
    ids: ['a\ud800', 'a\ud801', 'a\udc00', 'a\ufffd', '\udc00\ud800'],
    refusable: true,
  },
  {
    id: 'IDS-014',
    title: 'Ids that differ in accents, case or normal form are different, in any script',
    why: "A collation that takes them for equal lets one user into another's session.",
    ids: [
      're\u0301sume\u0301',
      'r\u00e9sum\u00e9',
      'resume',
      'R\u00c9SUM\u00c9',
      'стол',
      'СТОЛ',
      'й',
      'и',
      'σ',
      'ς',
      'Σ',
      '\u00c5',
      '\u212b',
      'A\u030a',
      'straße',
      'strasse',
      'STRASSE',
      'İ',
      'i̇',
      '\ufb01',
      'fi',
      '\uff71',
      'ア',
      'あ',
      '가',
      '\u1100\u1161',
    ],
    refusable: true,
  },
  {
    id: 'IDS-015',
    title: 'Characters that nobody sees count in ids',
    why: 'Collations pass over them; somebody who knows one id can make others that open the same session.',
    ids: [
      'id',
      ...[0xad, 0x34f, 0x200b, 0x200d, 0x200f, 0x2060, 0xfe0f, 0xfeff, 0x1, 0x7f, 0xe0020].map(
        (code) => `i${String.fromCodePoint(code)}d`,
      ),
    ],
    refusable: true,
  },
  {
    id: 'IDS-016',
    title: 'Ids that differ in a character beyond the first 65,536 are different',
    why: 'Three-byte encodings cut ids off there, or put a question mark in its place.',
    ids: [
      'a',
      'a?',
      'a\ufffd',
      'a😀',
      'a😁',
      'a😀b',
      'a😀c',
      '𝒳',
      '𝒴',
      '👩🏽',
      '👩🏿',
      '\u{10fffd}',
      '\u{10fffc}',
    ],
    refusable: true,
  },
  {
    id: 'IDS-017',
    title: 'Ids that end in white space of any kind are different from those that do not',
    why: 'Databases that pad text, and libraries that trim it, take them for equal.',
    ids: ['id', ...['\n', '\r', '\v', '\u00a0', '\u2003', '\u3000', '\u2028'].map((space) => `id${space}`)],
    refusable: true,
  },
  {
    id: 'IDS-018',
    title: 'Ids that read like numbers, dates and constants are only text',
    why: 'Compared as numbers, many texts are the same number, and every other text is zero.',
    ids: [
      '0',
      '1',
      '01',
      '1.0',
      '1e0',
      '+1',
      '-0',
      '0x1',
      '1a',
      'true',
      'null',
      'undefined',
      'NaN',
      '[object Object]',
      '1970-01-01',
      '5f3e1b2a9d8c7b6a5f4e3d2c',
      '5F3E1B2A9D8C7B6A5F4E3D2C',
    ],
    refusable: true,
  },
  {
    id: 'IDS-019',
    title: 'Ids that read like commands, patterns and placeholders are only text',
    why: 'An id is text that came over the network; where it is put together with a command, its sender commands.',
    ids: [
      '?',
      '??',
      ':id',
      '$1',
      '%s',
      '{a}b',
      '{a}c',
      "\\' OR 1=1 -- ",
      'x\r\nFLUSHALL\r\n',
      '.*',
      '^',
      '(?i)id',
      '$where',
      '{"$gt":""}',
      '/*',
      'x',
      'id',
    ],
    refusable: true,
  },
  {
    id: 'IDS-020',
    level: 'MAY',
    title: 'Ids of 128 UTF-16 units work, whatever characters they are of',
    why: 'A limit in bytes is reached by names in most scripts long before one in characters.',
    ids: [
      `${'漢'.repeat(127)}字`,
      '漢'.repeat(128),
      `${'😀'.repeat(63)}😁`,
      '😀'.repeat(64),
      `${'é'.repeat(127)}e`,
      'é'.repeat(128),
    ],
  },
];

export const ids = group('IDS', [
  ...families.map(
    ({ ids: family, refusable = false, level = 'MUST', ...about }): Omit<Requirement, 'group'> => ({
      ...about,
      level,
      source: refusable ? source.genid : source.uniqueId,
      run: (t) => areExact(t, family, refusable),
    }),
  ),
  {
    id: 'IDS-013',
    level: 'SHOULD',
    title: 'The empty id is refused, or is an id like any other',
    source: source.genid,
    why: 'A prefix with nothing behind it names a whole collection, or hangs the request.',
    run: async (t) => {
      const sid = t.sid();
      await t.set(sid, t.session({ mark: 'other' }));
      const { error, value } = await t.attempt('get', '');
      assert.ok(error || value === null || value === undefined, 'get answers with a session nobody stored');
      await t.attempt('destroy', '');
      assert.equal((await t.get(sid))?.['mark'], 'other');
      await areExact(t, [''], true);
    },
  },
]);
