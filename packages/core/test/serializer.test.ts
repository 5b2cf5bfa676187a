import { describe, expect, test } from 'vitest';
import type { Serializer } from '../src/index.js';
import { newRequest, plain, requestFor, setUp } from './helpers.js';

/** As encryption does it: another text each time. */
function salted(): Serializer & { texts: number } {
  return {
    texts: 0,
    stringify(session) {
      this.texts += 1;
      return `${this.texts}:${Buffer.from(JSON.stringify(session)).toString('base64')}`;
    },
    parse: (text) => JSON.parse(Buffer.from(text.split(':')[1] ?? '', 'base64').toString()),
  };
}

test('a serializer of the application makes and reads what is stored', async () => {
  const { backend, store } = setUp({ serializer: salted() });
  await store.set('a', plain({ n: 1 }, 5_000));
  expect(backend.text('a')).toMatch(/^1:[A-Za-z0-9+/=]+$/);
  expect(await store.get('a')).toMatchObject({ n: 1, cookie: { expires: expect.any(Date) } });
  expect(await store.all()).toMatchObject([{ id: 'a', n: 1 }]);
});

test("stringify is given the session's JSON form, and parse may answer later", async () => {
  const given: object[] = [];
  const { store } = setUp({
    serializer: {
      stringify(session) {
        given.push(session);
        return JSON.stringify(session);
      },
      parse: async (text) => JSON.parse(text),
    },
  });
  const { session } = newRequest(store, { maxAge: 1_000 });
  session.note = { at: new Date(0), gone: undefined };
  await store.set(session.id, session);
  expect(given).toEqual([JSON.parse(JSON.stringify(session))]);
  expect(Object.getPrototypeOf(given[0])).toBe(Object.prototype);
  expect(await store.get(session.id)).toMatchObject({ note: { at: '1970-01-01T00:00:00.000Z' } });
});

test('a serializer whose text differs each time makes no stray writes', async () => {
  const serializer = salted();
  const { backend, store } = setUp({ serializer, conflicts: 'reject', touchAfter: 0 });
  await store.set('a', plain({ n: 1 }, 60_000));
  for (let i = 0; i < 5; i += 1) {
    const { session } = await requestFor(store, 'a');
    await store.set('a', session);
    await store.touch('a', session);
  }
  expect(serializer.texts).toBe(1);
  const { session } = await requestFor(store, 'a');
  session.n = 2;
  await store.set('a', session);
  session.n = 3;
  await store.set('a', session);
  expect(await store.get('a')).toMatchObject({ n: 3 });
  expect(backend.text('a')).toMatch(/^3:/);
});

test('no two requests share what parse made', async () => {
  const { store } = setUp({ serializer: salted() });
  await store.set('a', plain({ note: { list: [1] } }));
  const [one, two] = [await store.get('a'), await store.get('a')];
  expect(one).toEqual(two);
  expect(one?.note).not.toBe(two?.note);
});

describe('a serializer that fails', () => {
  const broken: Record<string, Serializer['stringify']> = {
    'throws an error': () => {
      throw new Error('no key');
    },
    'throws something else': () => {
      throw 'no key';
    },
  };

  test.each(Object.entries(broken))('NOT_SERIALIZABLE when stringify %s', async (_how, stringify) => {
    const { backend, store } = setUp({ serializer: { stringify, parse: JSON.parse } });
    backend.put('a', plain({ n: 1 }));
    await expect(store.set('a', plain({ n: 2 }))).rejects.toMatchObject({
      code: 'NOT_SERIALIZABLE',
      operation: 'set',
      mayHaveHappened: false,
      message: expect.stringContaining('the serializer threw an error'),
      cause: { message: 'no key' },
    });
    expect(await store.get('a'), 'the old one is intact').toMatchObject({ n: 1 });
  });

  test.each([[undefined], [null], [42], [Buffer.from('x')], [Promise.resolve('x')]])(
    'NOT_SERIALIZABLE when stringify returns %o',
    async (value) => {
      const serializer: Serializer = { stringify: () => '', parse: JSON.parse };
      Reflect.set(serializer, 'stringify', () => value);
      const { backend, store } = setUp({ serializer });
      await expect(store.set('a', plain())).rejects.toMatchObject({
        code: 'NOT_SERIALIZABLE',
        message: expect.stringContaining(`must return a string, got a value of type ${typeof value}`),
      });
      expect(backend.calls).toEqual([]);
    },
  );

  test.each([
    ['throws', () => JSON.parse('{')],
    ['rejects', () => Promise.reject(new Error('wrong key'))],
    ['gives no session', () => ({ n: 1 })],
    ['gives nothing', async () => undefined],
  ])('CORRUPT when parse %s', async (_how, parse) => {
    const { store } = setUp({ serializer: { stringify: JSON.stringify, parse } });
    await store.set('a', plain({ n: 1 }));
    await expect(store.get('a')).rejects.toMatchObject({ code: 'CORRUPT', operation: 'get' });
  });

  test('a request can save again after it', async () => {
    const serializer = { stringify: (session: object) => JSON.stringify(session), parse: JSON.parse };
    const { backend, store } = setUp({ serializer });
    const { session } = newRequest(store);
    const { stringify } = serializer;
    serializer.stringify = () => {
      throw new Error('no key yet');
    };
    await expect(store.set(session.id, session)).rejects.toMatchObject({ code: 'NOT_SERIALIZABLE' });
    serializer.stringify = stringify;
    await store.set(session.id, session);
    expect(backend.rows.has(session.id)).toBe(true);
  });
});
