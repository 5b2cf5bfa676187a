import session from 'express-session';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sameState, takeSnapshot, toJson } from '../src/snapshot.js';
import { plain, requestFor, setUp } from './helpers.js';

const object = fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true });
const text = (value: object) => toJson(takeSnapshot(value));
/** What a parser makes of it; the order of keys apart. */
const parsed = (json: string): unknown => JSON.parse(json);

describe('the text of a session is what JSON.stringify would write', () => {
  test('whatever JSON it holds', () => {
    fc.assert(
      fc.property(object, object, (data, attributes) => {
        const { expires: _expires, ...cookie } = attributes;
        const session = { ...data, cookie };
        expect(parsed(text(session))).toEqual(parsed(JSON.stringify(session)));
      }),
    );
  });

  test('whatever expires it has', () => {
    const date = fc.date({ noInvalidDate: true, min: new Date(-8.64e15), max: new Date(8.64e15) });
    fc.assert(
      fc.property(date, fc.constantFrom('date', 'text', 'number'), (expires, as) => {
        const given = { date: expires, text: expires.toJSON(), number: expires.getTime() }[as];
        expect(parsed(text({ cookie: { expires: given } }))).toEqual({
          cookie: { expires: expires.toJSON() },
        });
      }),
    );
  });

  test('with keys that are special in JavaScript', () => {
    const session = parsed(
      '{"__proto__":{"a":1},"constructor":2,"toString":3,"toJSON":4,"cookie":{"__proto__":5}}',
    );
    expect(text(Object(session))).toBe(
      '{"cookie":{"__proto__":5},"__proto__":{"a":1},"constructor":2,"toString":3,"toJSON":4}',
    );
  });

  test('with toJSON of the session, of its cookie and of what is inside', () => {
    const cookie = { path: '/' };
    class Custom {
      toJSON() {
        return { cookie: { toJSON: () => cookie }, n: 1, at: new Date(0), gone: undefined };
      }
    }
    expect(text(new Custom())).toBe('{"cookie":{"path":"/"},"n":1,"at":"1970-01-01T00:00:00.000Z"}');
  });

  test('without what JSON leaves out', () => {
    const session = {
      a: undefined,
      f() {},
      [Symbol('s')]: 1,
      list: [undefined, Number.NaN],
      cookie: { b: undefined },
    };
    expect(text(session)).toBe('{"cookie":{},"list":[null,null]}');
  });

  test('the cookie comes first, as readers of the published layouts expect it', () => {
    expect(text({ z: 1, cookie: { path: '/', expires: null, originalMaxAge: null }, a: 2 })).toBe(
      '{"cookie":{"originalMaxAge":null,"expires":null,"path":"/"},"z":1,"a":2}',
    );
  });

  test('of a session of express-session', () => {
    const request = { session: undefined };
    const cookie = Object.assign(new session.Cookie(), {
      maxAge: 60_000,
      sameSite: 'lax',
      partitioned: true,
    });
    const live = Object.assign({}, { cookie, user: 'ann', request });
    expect(parsed(text(live))).toEqual(parsed(JSON.stringify(live)));
  });
});

describe('the state of a session', () => {
  const base = { originalMaxAge: 60_000, expires: new Date(60_000), path: '/', httpOnly: true };
  const same = (before: object, now: object) =>
    sameState(takeSnapshot({ cookie: before }), takeSnapshot({ cookie: now }));

  test.each([
    ['expires, which moves with every request', { expires: new Date(120_000) }],
    ['a millisecond of drift', { originalMaxAge: 59_999 }],
    ['a few of them', { originalMaxAge: 59_970 }],
    ['an undefined attribute', { domain: undefined }],
  ])('is not changed by %s', (_what, change) => {
    expect(same(base, { ...base, ...change })).toBe(true);
  });

  test.each([
    ['a later end', { originalMaxAge: 60_001 }],
    ['an earlier end', { originalMaxAge: 59_000 }],
    ['no end', { originalMaxAge: null, expires: null }],
    ['another attribute', { secure: true }],
    ['an attribute less', { path: undefined }],
  ])('is changed by %s', (_what, change) => {
    expect(same(base, { ...base, ...change })).toBe(false);
  });

  test('is changed by other data', () => {
    expect(sameState(takeSnapshot({ cookie: base, n: 1 }), takeSnapshot({ cookie: base, n: 2 }))).toBe(false);
  });

  test('null and undefined are both no end', () => {
    expect(same({ originalMaxAge: null }, {})).toBe(true);
  });
});

test('what a session holds survives the store', async () => {
  await fc.assert(
    fc.asyncProperty(object, async (note) => {
      const { store } = setUp();
      await store.set('a', plain({ note }));
      const loaded = await store.get('a');
      expect(JSON.stringify(loaded?.note)).toBe(JSON.stringify(note));
      const { session } = await requestFor(store, 'a');
      session.n = 1;
      await store.set('a', session);
      expect(JSON.stringify((await store.get('a'))?.note)).toBe(JSON.stringify(note));
    }),
  );
});
