import { describe, expect, test } from 'vitest';
import { browse, dropped, held, MapBackend, plain, settled, setUp, TestStore } from './helpers.js';

const both = [true, false];
const settings = both.flatMap((resave) =>
  both.flatMap((saveUninitialized) =>
    both.flatMap((rolling) =>
      (['destroy', 'keep'] as const).flatMap((unset) =>
        [undefined, 60_000].map((maxAge) => ({ resave, saveUninitialized, rolling, unset, maxAge })),
      ),
    ),
  ),
);

describe.each(settings)('express-session with %o', ({ maxAge, ...options }) => {
  const cookie = maxAge === undefined ? {} : { maxAge };
  const lifetime = maxAge ?? 86_400_000;
  /** express-session itself loses a millisecond where the clock moves between its two looks at it. */
  const about = (ms: number | null) => (ms === null ? null : expect.closeTo(ms, -2));
  const only = (backend: MapBackend) => [...backend.rows.keys()][0] ?? 'nobody';
  /** The lifetime is whole again: what passed since is not more than a slow machine needs. */
  const expectWhole = (backend: MapBackend, whole = lifetime) => {
    expect(backend.ttl(only(backend))).toBeGreaterThan(whole - 5_000);
    expect(backend.ttl(only(backend))).toBeLessThanOrEqual(whole);
  };

  test('stores, extends, changes and ends a session', async () => {
    const { backend, store } = setUp({ touchAfter: 0 });
    const { visit, errors } = await browse(store, { ...options, cookie });

    const first = await visit();
    expect(backend.rows.size).toBe(options.saveUninitialized ? 1 : 0);
    expect(first.setCookie !== undefined).toBe(options.saveUninitialized);

    await visit((req) => {
      req.session.n = 1;
    });
    expect(backend.rows.size).toBe(1);
    expect(backend.json(only(backend))).toMatchObject({
      n: 1,
      cookie: { originalMaxAge: about(maxAge ?? null) },
    });
    expectWhole(backend);

    const before = backend.text(only(backend));
    backend.put(only(backend), before ?? '', 10_000);
    const unchanged = await visit();
    expect(JSON.parse(unchanged.body)).toMatchObject({ n: 1 });
    expect(unchanged.setCookie !== undefined).toBe(options.rolling);
    expect(backend.text(only(backend)), 'nothing to write').toBe(before);
    expectWhole(backend);

    await visit((req) => {
      req.session.cookie.maxAge = 30_000;
    });
    expect(backend.json(only(backend)), 'a change of the cookie alone').toMatchObject({
      n: 1,
      cookie: { originalMaxAge: about(30_000) },
    });
    expectWhole(backend, 30_000);

    await visit((req) => {
      Reflect.set(req, 'session', null);
    });
    expect(backend.rows.size).toBe(options.unset === 'destroy' ? 0 : 1);

    await visit((req) => new Promise((resolve) => req.session.destroy(resolve)));
    expect(backend.rows.size).toBe(0);
    expect(errors).toEqual([]);
    await settled();
    expect(store.announced).toEqual([]);
  });
});

test.each([true, false])(
  'every method of a session, with resave %s and with and without callbacks',
  async (resave) => {
    const { backend, store } = setUp();
    const { visit, errors } = await browse(store, { resave });

    await visit((req) => {
      req.session.n = 1;
      req.session.save();
      req.session.n = 2;
    });
    await visit((req) => new Promise((resolve) => req.session.touch().save(resolve)));
    const [id = ''] = backend.rows.keys();
    expect(backend.json(id)).toMatchObject({ n: 2 });

    const reloaded = await visit(async (req) => {
      req.session.n = 3;
      await new Promise((resolve) => req.session.reload(resolve));
    });
    expect(JSON.parse(reloaded.body)).toMatchObject({ n: 2 });
    expect(backend.json(id)).toMatchObject({ n: 2 });

    await visit(async (req) => {
      await new Promise((resolve) => req.session.reload(resolve));
      req.session.n = 4;
    });
    expect(backend.json(id), 'changed after a reload').toMatchObject({ n: 4 });

    await visit(async (req) => {
      await new Promise((resolve) => req.session.regenerate(resolve));
      req.session.user = 'ann';
    });
    expect(backend.rows.has(id)).toBe(false);
    const [next = ''] = backend.rows.keys();
    expect(backend.json(next)).toMatchObject({ user: 'ann' });
    expect(backend.json(next)).not.toHaveProperty('n');

    await visit((req) => {
      Reflect.apply(req.session.regenerate, req.session, []);
    });
    await visit((req) => {
      Reflect.apply(req.session.destroy, req.session, []);
    });
    await settled();
    expect(backend.rows.size).toBe(0);
    expect(errors).toEqual([]);
  },
);

test('explicit saves and the end of the request store the last state', async () => {
  const { backend, store } = setUp({ conflicts: 'reject' });
  const { visit, errors } = await browse(store);
  for (let round = 0; round < 3; round += 1) {
    await visit(async (req) => {
      const n = (req.session.n ?? 0) + 1;
      req.session.n = n;
      await new Promise((resolve) => req.session.save(resolve));
      req.session.note = 'a';
      req.session.save();
      req.session.note = 'b';
    });
  }
  expect(backend.json([...backend.rows.keys()][0] ?? '')).toMatchObject({ n: 3, note: 'b' });
  expect(errors).toEqual([]);
});

test.each(['set', 'touch'])(
  'a logout while a slow request runs stands, though it ends with a %s',
  async (end) => {
    const { backend, store } = setUp({ touchAfter: 0 });
    const { visit, errors } = await browse(store);
    await visit((req) => {
      req.session.user = 'ann';
    });
    const gate = held();
    const arrived = held();
    const slow = visit(async (req) => {
      arrived.release();
      await gate.promise;
      if (end === 'set') req.session.n = 1;
    });
    await arrived.promise;
    await visit((req) => new Promise((resolve) => req.session.destroy(resolve)));
    gate.release();
    expect(await slow).toMatchObject({ status: 200 });
    expect(backend.rows.size).toBe(0);
    expect(errors).toEqual([]);
    expect(store.announced.map(([event]) => event)).toEqual(['discarded']);
    expect(JSON.parse((await visit()).body)).not.toHaveProperty('user');
  },
);

test('a login rotation while a slow request runs: the old id stays dead', async () => {
  const { backend, store } = setUp();
  const { visit } = await browse(store);
  await visit((req) => {
    req.session.n = 1;
  });
  const [old = ''] = backend.rows.keys();
  const gate = held();
  const arrived = held();
  const slow = visit(async (req) => {
    arrived.release();
    await gate.promise;
    req.session.n = 2;
  });
  await arrived.promise;
  await visit(async (req) => {
    await new Promise((resolve) => req.session.regenerate(resolve));
    req.session.user = 'ann';
  });
  gate.release();
  await slow;
  expect(backend.rows.has(old)).toBe(false);
  expect(backend.rows.size).toBe(1);
});

test('a hundred requests at once on one session are all answered, and one of them stands', async () => {
  const { backend, store } = setUp();
  const { visit, errors } = await browse(store);
  await visit((req) => {
    req.session.n = 0;
  });
  const visits = await Promise.all(
    Array.from({ length: 100 }, (_, i) =>
      visit((req) => {
        req.session.n = i + 1;
      }),
    ),
  );
  expect(visits.every(({ status }) => status === 200)).toBe(true);
  expect(errors).toEqual([]);
  expect(Number(backend.json([...backend.rows.keys()][0] ?? '')?.['n'])).toBeGreaterThan(0);
});

test('a store that cannot read answers 500, and no new session takes the place of the old', async () => {
  const { backend, store } = setUp();
  const { visit, errors } = await browse(store);
  await visit((req) => {
    req.session.user = 'ann';
  });
  backend.next('read', dropped);
  expect(await visit()).toMatchObject({ status: 500, setCookie: undefined });
  expect(errors).toEqual([expect.objectContaining({ code: 'BACKEND', operation: 'get' })]);
  expect(JSON.parse((await visit()).body)).toMatchObject({ user: 'ann' });
});

test('no error of a driver makes express-session think that there was no session', async () => {
  const { backend, store } = setUp();
  const { visit, errors } = await browse(store);
  await visit((req) => {
    req.session.user = 'ann';
  });
  backend.next('read', () => {
    throw Object.assign(new Error('no such socket'), { code: 'ENOENT' });
  });
  expect(await visit()).toMatchObject({ status: 500 });
  expect(errors).toEqual([expect.objectContaining({ code: 'BACKEND' })]);
});

test('corrupt text is an error, not a crash and not an empty session', async () => {
  const { backend, store } = setUp();
  const { visit, errors } = await browse(store);
  await visit((req) => {
    req.session.user = 'ann';
  });
  const [id = ''] = backend.rows.keys();
  for (const text of ['', 'nonsense', 'null', '"text"', '[]', '{}', '{"cookie":null}', '{"cookie":[]}']) {
    backend.put(id, text);
    expect(await visit()).toMatchObject({ status: 500 });
  }
  expect(errors).toHaveLength(8);
  expect(errors).toEqual(errors.map(() => expect.objectContaining({ code: 'CORRUPT' })));
});

test('a failed save is reported to the application, after the answer', async () => {
  const { backend, store } = setUp();
  const { visit, errors } = await browse(store);
  backend.next('write', dropped);
  await visit((req) => {
    req.session.n = 1;
  });
  await settled();
  expect(errors).toEqual([expect.objectContaining({ code: 'BACKEND', operation: 'set' })]);
});

test('a session made long ago by another store is used and kept', async () => {
  const { backend, store } = setUp();
  const { visit } = await browse(store, { genid: () => 'migrated', resave: true });
  await visit((req) => {
    req.session.n = 1;
  });
  backend.put('migrated', {
    cookie: { originalMaxAge: null, expires: null, httpOnly: true, path: '/' },
    n: 7,
  });
  const { body } = await visit();
  expect(JSON.parse(body)).toMatchObject({ n: 7 });
});

test('emits neither connect nor disconnect, so that no request is served without a session', async () => {
  const backend = new MapBackend();
  const store = new TestStore(backend);
  const heard: string[] = [];
  for (const event of ['connect', 'disconnect']) store.on(event, () => heard.push(event));
  backend.between = dropped;
  await expect(store.get('a')).rejects.toThrow();
  await expect(store.set('a', plain())).rejects.toThrow();
  backend.between = (_call, act) => act();
  await store.get('a');
  await store.close();
  expect(heard).toEqual([]);
});
