import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { answerOf, show } from '../calls.js';
import { type Context, holds } from '../context.js';
import { group, Unsupported } from '../requirement.js';
import { source } from '../sources.js';

/** What comes back for a value that was stored in a session. */
async function roundTrip(t: Context, value: unknown): Promise<unknown> {
  const sid = t.sid();
  await t.set(sid, t.session({ value }));
  const found = await t.get(sid);
  assert.ok(found, 'the session is not there');
  return found['value'];
}

const comesBack = (...values: readonly unknown[]) => {
  return async (t: Context) => {
    for (const value of values) assert.deepEqual(await roundTrip(t, value), value);
  };
};

/** A session that cannot be stored is an error, and the one that is stored stays as it is. */
const isRefused = (makeValue: () => unknown) => {
  return async (t: Context) => {
    const sid = t.sid();
    await t.set(sid, t.session({ value: 'before' }));
    const { error } = await t.attempt('set', sid, t.session({ value: makeValue() }));
    assert.ok(error, 'set answered without an error');
    holds(await t.get(sid), { value: 'before' });
  };
};

/** It is stored as a whole, or refused and nothing is changed. */
const comesBackOrIsRefused = (makeValues: () => readonly unknown[]) => {
  return async (t: Context) => {
    for (const value of makeValues()) {
      const sid = await t.stored({ value: 'before' });
      const { error } = await t.attempt('set', sid, t.session({ value }));
      const found = (await t.get(sid))?.['value'];
      if (isDeepStrictEqual(found, error ? 'before' : value)) continue;
      assert.fail(
        `set answered with ${error ? 'an error' : 'success'}, get with ${show(found).slice(0, 60)}`,
      );
    }
  };
};

function maxBytesOf({ subject: { maxBytes } }: Context): number {
  if (maxBytes === undefined)
    throw new Unsupported('the harness does not say how large a session may be (`maxBytes`)');
  return maxBytes;
}

/** A server that is sent too much may end the connection, and a call that goes out by it at that moment fails. */
function answersAgain(t: Context, sid: string): Promise<void> {
  return t.until('get answers again', 5_000, async () => !(await t.attempt('get', sid)).error);
}

/** Objects and arrays in turn, so many deep. */
const nested = (depth: number): unknown =>
  depth === 0 ? 'core' : depth % 2 ? { inner: nested(depth - 1) } : [nested(depth - 1)];

export const data = group('DATA', [
  {
    id: 'DATA-001',
    level: 'MUST',
    title: 'Nested objects and arrays come back as they were',
    source: source.json,
    why: 'Carts, roles and wizard steps are nested.',
    run: comesBack({ a: { b: [{ c: [[], [1, [2]]] }] }, list: ['x', { y: null }, false] }),
  },
  {
    id: 'DATA-002',
    level: 'MUST',
    title: 'Empty values come back as they were',
    source: source.json,
    why: 'An empty cart that becomes null, or vanishes, breaks the page that shows it.',
    run: comesBack({}, [], '', null, false, 0, [[]], { a: {}, b: [], c: '', d: null, e: false }),
  },
  {
    id: 'DATA-003',
    level: 'MUST',
    title: 'A session without any data of its own is stored and found',
    source: source.saveUninitialized,
    why: 'With saveUninitialized: true it is what every first visit stores.',
    run: async (t) => {
      const sid = t.sid();
      await t.set(sid, t.session());
      holds(await t.get(sid), {});
    },
  },
  {
    id: 'DATA-004',
    level: 'MUST',
    title: 'Text that looks like something else stays text',
    source: source.json,
    why: 'A postcode that becomes a number loses its zero.',
    run: comesBack(
      '0123',
      '1e3',
      'true',
      'null',
      '{"a":1}',
      '2026-11-22T06:05:00.000Z',
      ' x ',
      '\u0000',
      '\\u0041',
    ),
  },
  {
    id: 'DATA-005',
    level: 'MUST',
    title: 'Text in any script comes back as it was',
    source: source.json,
    why: 'Names and messages are in every language, and databases have old encodings.',
    run: comesBack('Ærøskøbing', 'e\u0301 é', '漢字', 'שלום', '👩‍🚀 😀', '\u2028\u2029', { 'ключ 🔑': 'да' }),
  },
  {
    id: 'DATA-006',
    level: 'SHOULD',
    title: 'Text with lone surrogates comes back as it was, or is refused with an error',
    source: source.json,
    why: 'Cutting a text in the middle of an emoji makes one; it must not cost the session.',
    run: async (t) => {
      const sid = t.sid();
      const value = 'a\ud83d b\udc00 c';
      const { error } = await t.attempt('set', sid, t.session({ value }));
      assert.equal((await t.get(sid))?.['value'], error ? undefined : value);
    },
  },
  {
    id: 'DATA-007',
    level: 'MUST',
    title: 'Numbers come back as they were, to the edges of what JSON carries',
    source: source.json,
    why: 'Ids and amounts that are off by one belong to somebody else.',
    run: comesBack([
      Number.MAX_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
      Number.MAX_VALUE,
      Number.MIN_VALUE,
      0.1 + 0.2,
      -1.5,
      2 ** 31,
      2 ** 63,
      1e21,
      1e308,
      2 ** 53,
      2 ** 53 + 2,
      -(2 ** 63),
    ]),
  },
  {
    id: 'DATA-008',
    level: 'MUST',
    title: 'Keys with dots, dollars, digits and spaces come back as they were',
    source: source.json,
    why: 'Carts are keyed by article numbers and domains; some databases read paths and operators into them.',
    run: comesBack({ 'a.b': 1, $set: 2, $: 3, '': 4, 'c d': 5, '7': 6, '.': 7, "it's": 8 }),
  },
  {
    id: 'DATA-009',
    level: 'MUST',
    title: 'A key named __proto__ changes no other object',
    source: source.json,
    why: 'Data that came from a request body would give every object of the process its properties.',
    run: async (t) => {
      const text =
        '{ "__proto__": { "polluted": true }, "constructor": { "prototype": { "polluted": true } } }';
      await roundTrip(t, JSON.parse(text));
      const polluted = Reflect.has({}, 'polluted');
      Reflect.deleteProperty(Object.prototype, 'polluted');
      assert.ok(!polluted, 'Object.prototype was changed');
    },
  },
  {
    id: 'DATA-010',
    level: 'SHOULD',
    title: 'A key named __proto__ comes back as a key',
    source: source.json,
    why: 'What JSON carries, a session carries; silently dropping it is losing data.',
    run: async (t) => {
      const text = '{"__proto__":{"a":1},"b":{"__proto__":2}}';
      assert.equal(JSON.stringify(await roundTrip(t, JSON.parse(text))), text);
    },
  },
  {
    id: 'DATA-011',
    level: 'SHOULD',
    title: 'What JSON changes, the store changes alike: dates, undefined, NaN, toJSON',
    source: source.json,
    why: 'An application that moves from one store to another finds other values in its sessions.',
    run: async (t) => {
      const value = {
        date: new Date(0),
        missing: undefined,
        nan: Number.NaN,
        minusZero: -0,
        list: [undefined],
        own: { secret: 1, toJSON: () => ({ shown: true }) },
      };
      const expected = {
        date: '1970-01-01T00:00:00.000Z',
        nan: null,
        minusZero: 0,
        list: [null],
        own: { shown: true },
      };
      assert.deepEqual(await roundTrip(t, value), expected);
    },
  },
  {
    id: 'DATA-012',
    level: 'MUST',
    title: 'A session of one megabyte comes back as it was, or is refused with an error and the old one kept',
    source: source.set,
    why: 'Cut off in the middle it is no JSON any more, and the user cannot even log in again.',
    run: comesBackOrIsRefused(() => [Array.from({ length: 10_000 }, (_, i) => `${i} ${'é😀x'.repeat(12)}`)]),
  },
  {
    id: 'DATA-013',
    level: 'SHOULD',
    title: 'A BigInt is refused with an error, and the old session kept',
    source: source.onError,
    why: 'Silence loses what the user did; a broken write loses the whole session.',
    run: isRefused(() => 1n),
  },
  {
    id: 'DATA-014',
    level: 'SHOULD',
    title: 'A circular structure is refused with an error, and the old session kept',
    source: source.onError,
    why: 'Silence loses what the user did; a broken write loses the whole session.',
    run: isRefused(() => {
      const value: { self?: unknown } = {};
      value.self = value;
      return value;
    }),
  },
  {
    id: 'DATA-015',
    level: 'SHOULD',
    title: 'A getter or toJSON that throws is an error, and the old session kept',
    source: source.onError,
    why: 'Silence loses what the user did; a broken write loses the whole session.',
    run: isRefused(() => ({
      toJSON: () => {
        throw new Error('no JSON of this');
      },
    })),
  },
  {
    id: 'DATA-016',
    level: 'MUST',
    title: "The cookie's settings come back as they were",
    source: source.cookie,
    why: 'The next Set-Cookie is made from them: a lost `secure` sends the id in the clear, a lost `path` makes a second cookie.',
    run: async (t) => {
      const sid = t.sid();
      const session = t.session();
      const settings = {
        path: '/admin',
        domain: 'example.org',
        httpOnly: false,
        secure: true,
        sameSite: 'strict',
        priority: 'high',
        partitioned: true,
      };
      Object.assign(session.cookie, settings);
      await t.set(sid, session);
      const { cookie } = (await t.load(sid)).session;
      const seen = Object.fromEntries(Object.keys(settings).map((setting) => [setting, cookie[setting]]));
      assert.deepEqual(seen, settings);
    },
  },
  {
    id: 'DATA-017',
    level: 'SHOULD',
    title: 'The store adds nothing to the session',
    source: source.save,
    why: 'Its keys collide with those of the application, and make unchanged sessions look changed.',
    run: async (t) => {
      const sid = t.sid();
      await t.set(sid, t.session({ user: 'ada' }));
      if (t.store.touch) await t.touch(sid, t.session({ user: 'ada' }));
      assert.deepEqual(Object.keys((await t.get(sid)) ?? {}).sort(), ['cookie', 'user']);
    },
  },
  {
    id: 'DATA-018',
    level: 'SHOULD',
    title: 'Data nested a hundred deep comes back as it was',
    source: source.json,
    why: 'Trees of comments or menus reach it; databases that look into documents have limits near there.',
    run: comesBack(nested(100)),
  },
  {
    id: 'DATA-019',
    level: 'MUST',
    title:
      'Data nested five hundred deep comes back as it was, or is refused with an error and the old session kept',
    source: source.set,
    why: 'What one request body can nest must not cost the session.',
    run: comesBackOrIsRefused(() => [nested(500)]),
  },
  {
    id: 'DATA-020',
    level: 'MUST',
    title: 'Ten thousand keys come back as they were, or are refused with an error and the old session kept',
    source: source.set,
    why: 'A cart or cache that has grown must not cost the session.',
    run: comesBackOrIsRefused(() => [
      Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`key ${n}`, { n }])),
    ]),
  },
  {
    id: 'DATA-021',
    level: 'MUST',
    title:
      "Objects that look like a database's own notation come back as they were, or are refused with an error and the old session kept",
    source: source.json,
    why: 'Read as an operator, a path or a type, the data of one user commands the database.',
    run: comesBackOrIsRefused(() =>
      [
        { $set: { user: 'root' } },
        { $unset: { user: 1 } },
        { $ne: null },
        { $oid: '5f3e1b2a9d8c7b6a5f4e3d2c' },
        { $date: 0 },
        { $numberLong: '1' },
        { $literal: '$user' },
        { _bsontype: 'ObjectId', id: 'x' },
        { type: 'Buffer', data: [1, 2] },
        { 'a.b.c': { 'd.e': { '$f.$g': {} } } },
        { '': { '': { '': 0 } } },
        { '.': 1 },
        { toJSON: 1, constructor: 2, hasOwnProperty: 3, length: 4 },
      ].flatMap((value) => [value, [value], { inner: value }]),
    ),
  },
  {
    id: 'DATA-022',
    level: 'MUST',
    title: 'Keys at the top with dots, dollars, spaces and nothing at all come back as they were',
    source: source.json,
    why: 'A store that keeps a field for each key has other rules there than below.',
    run: async (t) => {
      for (const data of [
        {
          'a.b': 1,
          $set: { user: 'root' },
          '': 2,
          ' ': 3,
          '7': 4,
          _id: 5,
          expires: 6,
          session: { cookie: 7 },
        },
        { $inc: { n: 1 } },
        { '': '' },
      ]) {
        holds(await t.get(await t.stored(data)), data);
      }
    },
  },
  {
    id: 'DATA-023',
    level: 'SHOULD',
    title:
      'Keys with lone surrogates come back as they were, or are refused with an error and the old session kept',
    source: source.json,
    why: 'Encoded as UTF-8 they all become the same key, and all but one value are lost.',
    run: comesBackOrIsRefused(() => [{ '\ud83d': 1, '\ud83e': 2, '\udc00': 3, '\ufffd': 4 }]),
  },
  {
    id: 'DATA-024',
    level: 'MUST',
    title: 'Text that looks like commands, escapes and placeholders stays text',
    source: source.json,
    why: 'Data that is put together with a command commands; data that is escaped once too often grows with every request.',
    run: comesBack(
      "'; DROP TABLE sessions; --",
      '\\\' \\\\ \\" \\0 \\u0000 \\x00',
      '%s %d ? ?? :id $1 {{x}} <%= x %>',
      '$user',
      '\r\n*1\r\n$8\r\nFLUSHALL\r\n',
      'NaN',
      '/* */ -- #',
      '&lt;&#39;%27+%00',
      'j:{"a":1}',
    ),
  },
  {
    id: 'DATA-025',
    level: 'MUST',
    title: 'A session that is larger than the store takes is refused with an error, and the old one kept',
    source: source.onError,
    why: 'Cut off, it is no session any more; unsaid, the user works on what is not stored.',
    run: async (t) => {
      const maxBytes = maxBytesOf(t);
      const sid = await t.stored({ value: 'before' });
      const value = 'x'.repeat(1.1 * maxBytes);
      const { error } = await t.attempt('set', sid, t.session({ value }));
      assert.ok(error, `${value.length} bytes were stored without an error`);
      await answersAgain(t, sid);
      holds(await t.get(sid), { value: 'before' });
      const { session } = await t.load(sid);
      Object.assign(session, { value });
      const late = await answerOf('save', (callback) => session.save(callback));
      assert.ok(late.error, `${value.length} bytes were saved without an error`);
      await answersAgain(t, sid);
      holds(await t.get(sid), { value: 'before' });
    },
  },
  {
    id: 'DATA-026',
    level: 'SHOULD',
    title: 'A session that is nearly as large as the store takes is stored, and changed by a request',
    source: source.set,
    why: 'Whoever plans with a limit finds a lower one, and late: when a session is to be changed.',
    run: async (t) => {
      const maxBytes = maxBytesOf(t);
      const value = 'x'.repeat(0.9 * maxBytes);
      const sid = await t.stored({ value });
      const { session } = await t.load(sid);
      assert.ok(session['value'] === value, 'it did not come back as it was');
      Object.assign(session, { n: 1 });
      const { error } = await answerOf('save', (callback) => session.save(callback));
      assert.ok(!error, `a change of it was refused: ${show(error)}`);
      const found = await t.get(sid);
      assert.ok(found?.['value'] === value && found['n'] === 1, 'it did not come back as it was changed');
    },
  },
  {
    id: 'DATA-027',
    level: 'SHOULD',
    title: 'Keys with NUL come back as they were, or are refused with an error and the old session kept',
    source: source.json,
    why: 'Where text ends at NUL, a key becomes another one, and its value that of a stranger.',
    run: comesBackOrIsRefused(() => [{ 'a\0b': 1, a: 2 }, { '\0': 1 }]),
  },
]);
