import { beforeEach, describe, expect, test, vi } from 'vitest';
import { newRequest, plain, requestFor, settled, setUp, type TestRequest, TestStore } from './helpers.js';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
  return () => vi.useRealTimers();
});

/** What express-session does at the end of a request that changed nothing it looks at. */
function endUnchanged({ session, sessionStore }: TestRequest) {
  session.touch();
  return Reflect.apply(sessionStore.touch ?? (() => {}), sessionStore, [session.id, session]);
}

describe('a plain object', () => {
  test('lives until cookie.expires', async () => {
    const { backend, store } = setUp();
    await store.set('a', plain({}, 5_000));
    expect(backend.ttl('a')).toBe(5_000);
  });

  test.each([null, undefined, false])('lives for a day when cookie.expires is %s', async (expires) => {
    const { backend, store } = setUp();
    const cookie = { ...plain().cookie };
    Reflect.set(cookie, 'expires', expires);
    await store.set('a', { cookie });
    expect(backend.ttl('a')).toBe(DAY);
  });

  test('lives for the ttl option, in seconds, when its cookie has no expires', async () => {
    const { backend, store } = setUp({ ttl: 1.5 });
    await store.set('a', plain());
    await store.set('b', plain({}, 5_000));
    expect([backend.ttl('a'), backend.ttl('b')]).toEqual([1_500, 5_000]);
  });

  test('may have its expires as text or number', async () => {
    const { backend, store } = setUp();
    const at = Date.now() + 5_000;
    for (const [id, expires] of Object.entries({ text: new Date(at).toISOString(), number: at })) {
      const cookie = { ...plain().cookie };
      Reflect.set(cookie, 'expires', expires);
      await store.set(id, { cookie });
      expect(backend.ttl(id)).toBe(5_000);
    }
  });

  test.each(['set', 'touch'] as const)('%s removes it when it has expired', async (method) => {
    const { backend, store } = setUp();
    for (const maxAge of [0, -1, -DAY]) {
      backend.put('a', plain({ n: 1 }));
      await store[method]('a', plain({}, maxAge));
      expect(backend.rows.size).toBe(0);
    }
  });

  test('touch moves its deadline, to an earlier moment too', async () => {
    const { backend, store } = setUp();
    await store.set('a', plain({ n: 1 }, MINUTE));
    await store.touch('a', plain({ n: 2 }, 5_000));
    expect(backend.ttl('a')).toBe(5_000);
    expect(backend.json('a')).toMatchObject({ n: 1 });
    await store.touch('a', plain());
    expect(backend.ttl('a')).toBe(DAY);
  });

  test('lifetimes are whole milliseconds and never beyond what a Date can tell', async () => {
    const { backend, store } = setUp({ ttl: 0.0015 });
    await store.set('a', plain());
    expect(backend.ttl('a')).toBe(1);
    await store.set('b', { cookie: { ...plain().cookie, expires: new Date(8.64e15) } });
    const session = await store.get('b');
    expect(session?.cookie.expires).toEqual(new Date(8.64e15));
    await store.touch('a', { cookie: { ...plain().cookie, expires: new Date(8.64e15) } });
    expect(backend.calls.at(-1)).toMatch(/^touch a set \d+$/);
    const forever = new TestStore(backend, { ttl: 8.64e12 });
    await forever.set('c', plain());
    expect(backend.ttl('c')).toBe(8.64e15 - Date.now());
  });
});

describe('get', () => {
  test("tells the true rest of the lifetime, not the payload's", async () => {
    const { backend, store } = setUp();
    backend.put('a', plain({}, MINUTE), 5_000);
    const session = await store.get('a');
    expect(session?.cookie.expires).toEqual(new Date(Date.now() + 5_000));
    expect((await store.load('a'))?.cookie.maxAge).toBe(5_000);
    expect((await store.all())[0]?.cookie.expires).toEqual(new Date(Date.now() + 5_000));
  });

  test('leaves a cookie without expires alone', async () => {
    const { backend, store } = setUp();
    backend.put('a', plain());
    expect((await store.get('a'))?.cookie.expires).toBeNull();
  });

  test('a live session whose payload says it has expired is live', async () => {
    const { backend, store } = setUp();
    backend.put('a', plain({ n: 1 }, -DAY), 5_000);
    expect(await store.get('a')).toMatchObject({ n: 1 });
  });
});

describe('a request', () => {
  test('creates a session that lives for its maxAge', async () => {
    const { backend, store } = setUp();
    const { session } = newRequest(store, { maxAge: MINUTE });
    await store.set(session.id, session);
    expect(backend.ttl(session.id)).toBe(MINUTE);
  });

  test('creates a session with its whole lifetime, however slow it was', async () => {
    const { backend, store } = setUp();
    const { session } = newRequest(store, { maxAge: 1_000 });
    await vi.advanceTimersByTimeAsync(5_000);
    await store.set(session.id, session);
    expect(backend.ttl(session.id)).toBe(1_000);
  });

  test('that changed nothing extends the session', async () => {
    const { backend, store } = setUp();
    backend.put('a', plain({}, MINUTE));
    await vi.advanceTimersByTimeAsync(30_000);
    await endUnchanged(await requestFor(store, 'a'));
    expect(backend.calls).toEqual(['read a', `touch a extend ${MINUTE}`]);
    expect(backend.ttl('a')).toBe(MINUTE);
  });

  test('that changed nothing extends a session without maxAge by the ttl option', async () => {
    const { backend, store } = setUp({ ttl: 60 });
    backend.put('a', plain());
    await vi.advanceTimersByTimeAsync(30_000);
    await endUnchanged(await requestFor(store, 'a'));
    expect(backend.ttl('a')).toBe(MINUTE);
  });

  test('that changed nothing does not undo a longer lifetime that another one gave', async () => {
    const { backend, store } = setUp({ touchAfter: 0 });
    backend.put('a', plain({}, MINUTE));
    const [one, two] = [await requestFor(store, 'a'), await requestFor(store, 'a')];
    one.session.cookie.maxAge = DAY;
    await endUnchanged(one);
    await endUnchanged(two);
    expect(backend.ttl('a')).toBe(DAY);
    expect(backend.json('a')).toMatchObject({ cookie: { originalMaxAge: DAY } });
  });

  test('whose session ended meanwhile changes nothing', async () => {
    const { backend, store } = setUp();
    backend.put('a', plain({ n: 1 }, 1_000), 1_000);
    const request = await requestFor(store, 'a');
    await vi.advanceTimersByTimeAsync(2_000);
    await endUnchanged(request);
    request.session.n = 2;
    await store.set('a', request.session);
    await settled();
    expect(await store.get('a')).toBeNull();
    expect(store.announced.map(([event]) => event)).toEqual(['discarded', 'discarded']);
  });

  test('that took longer than the lifetime does not end a session that others kept alive', async () => {
    const { backend, store } = setUp();
    backend.put('a', plain({ n: 1 }, 1_000), 1_000);
    const slow = await requestFor(store, 'a');
    for (let i = 0; i < 4; i += 1) {
      await vi.advanceTimersByTimeAsync(500);
      await endUnchanged(await requestFor(store, 'a'));
    }
    slow.session.n = 2;
    expect(slow.session.cookie.maxAge).toBeLessThan(0);
    await store.set('a', slow.session);
    expect(backend.json('a')).toMatchObject({ n: 2 });
    expect(backend.ttl('a')).toBe(1_000);
  });

  test.each([
    [
      'a longer maxAge',
      (cookie: TestRequest['session']['cookie']) => Object.assign(cookie, { maxAge: DAY }),
      DAY,
    ],
    [
      'a shorter maxAge',
      (cookie: TestRequest['session']['cookie']) => Object.assign(cookie, { maxAge: 100 }),
      100,
    ],
    [
      'an expires',
      (cookie: TestRequest['session']['cookie']) =>
        Object.assign(cookie, { expires: new Date(Date.now() + 700) }),
      700,
    ],
    [
      'no end',
      (cookie: TestRequest['session']['cookie']) => Object.assign(cookie, { maxAge: null }),
      2 * DAY,
    ],
    [
      'another sameSite',
      (cookie: TestRequest['session']['cookie']) => Object.assign(cookie, { sameSite: 'none' }),
      MINUTE,
    ],
  ])(
    'that gave the cookie %s has it stored, though express-session sends a touch',
    async (_what, change, ttl) => {
      const { backend, store } = setUp({ ttl: 2 * 24 * 60 * 60 });
      backend.put('a', plain({ n: 1 }, MINUTE));
      const request = await requestFor(store, 'a');
      change(request.session.cookie);
      await endUnchanged(request);
      expect(backend.ttl('a')).toBe(ttl);
      const { cookie } = JSON.parse(JSON.stringify(request.session));
      expect(backend.json('a')).toEqual({ n: 1, cookie });
    },
  );

  test.each([0, -1])('that gave the cookie maxAge %s ends the session', async (maxAge) => {
    const { backend, store } = setUp();
    backend.put('a', plain({}, MINUTE));
    const request = await requestFor(store, 'a');
    request.session.cookie.maxAge = maxAge;
    await endUnchanged(request);
    expect(backend.rows.size).toBe(0);
  });

  test('that gave a new session maxAge 0 stores nothing', async () => {
    const { backend, store } = setUp();
    const { session } = newRequest(store, { maxAge: 0 });
    await store.set(session.id, session);
    expect(backend.calls).toEqual([]);
  });

  test('whose data changed without express-session noticing is stored by touch', async () => {
    const { backend, store } = setUp();
    backend.put('a', plain({ n: 1 }, MINUTE));
    const request = await requestFor(store, 'a');
    request.session.n = 2;
    await endUnchanged(request);
    expect(backend.json('a')).toMatchObject({ n: 2 });
  });

  test('is not taken for one that changed something because of keys that a Session cannot have', async () => {
    const { backend, store } = setUp();
    const odd = '"id":"x","save":1,"__proto__":{"admin":true},"constructor":{"a":1},"touch":null';
    backend.put('a', `{"cookie":{"originalMaxAge":60000,"expires":"2030-01-01T00:00:00.000Z"},${odd}}`);
    const { session } = await requestFor(store, 'a');
    await store.set('a', session);
    expect(backend.takeCalls().filter((call) => call.startsWith('write'))).toEqual([]);
  });
});

describe('touchAfter', () => {
  /** Requests that change nothing, one each `step` milliseconds; answers how many touches reached the backend. */
  async function touches(options: { touchAfter?: number }, requests: number, step: number) {
    const { backend, store } = setUp(options);
    await store.set('a', plain({}, MINUTE));
    for (let i = 0; i < requests; i += 1) {
      await vi.advanceTimersByTimeAsync(step);
      await endUnchanged(await requestFor(store, 'a'));
    }
    return backend.calls.filter((call) => call.startsWith('touch')).length;
  }

  test('is one hundredth of the lifetime unless said otherwise', async () => {
    expect(await touches({}, 12, 200)).toBe(4);
    expect(await touches({}, 4, 600)).toBe(4);
  });

  test('is in seconds', async () => {
    expect(await touches({ touchAfter: 10 }, 20, 1_000)).toBe(2);
  });

  test('0 moves the deadline each time', async () => {
    expect(await touches({ touchAfter: 0 }, 5, 1)).toBe(5);
  });

  test('a large one lets the session keep its first deadline', async () => {
    expect(await touches({ touchAfter: 3_600 }, 50, 1_000)).toBe(0);
  });

  test('counts from a save of the same request', async () => {
    const { backend, store } = setUp();
    const request = newRequest(store, { maxAge: MINUTE });
    await store.set(request.session.id, request.session);
    await endUnchanged(request);
    expect(backend.calls).toEqual([`write ${request.session.id} always`]);
  });

  test('counts from a touch of the same request', async () => {
    const { backend, store } = setUp();
    await store.set('a', plain({}, MINUTE));
    const request = await requestFor(store, 'a');
    await vi.advanceTimersByTimeAsync(1_000);
    await endUnchanged(request);
    await endUnchanged(request);
    expect(backend.calls.filter((call) => call.startsWith('touch'))).toHaveLength(1);
  });

  test('holds for touches inside a request only', async () => {
    const { backend, store } = setUp({ touchAfter: 3_600 });
    backend.put('a', plain({}, MINUTE));
    await store.touch('a', plain({}, MINUTE));
    await store.set('a', (await requestFor(store, 'a')).session);
    expect(backend.calls).toEqual([`touch a set ${MINUTE}`, 'read a', `touch a extend ${MINUTE}`]);
  });
});

describe('the drift of originalMaxAge', () => {
  test('makes no writes and does not reach what is stored, over hundreds of requests', async () => {
    const { backend, store } = setUp();
    await store.set('a', plain({ n: 1 }, MINUTE));
    backend.takeCalls();
    for (let i = 0; i < 300; i += 1) {
      await vi.advanceTimersByTimeAsync(7);
      const request = await requestFor(store, 'a');
      // What Session.touch() does when the clock moves between its two looks at it.
      request.session.cookie.originalMaxAge = MINUTE - (i % 3);
      await store.touch('a', request.session);
    }
    expect(backend.takeCalls().filter((call) => call.startsWith('write'))).toEqual([]);
    for (let i = 0; i < 100; i += 1) {
      const request = await requestFor(store, 'a');
      request.session.n = 100 + i;
      const { originalMaxAge } = request.session.cookie;
      request.session.cookie.originalMaxAge = (originalMaxAge ?? 0) - 2;
      await store.set('a', request.session);
    }
    expect(backend.json('a')).toMatchObject({ n: 199, cookie: { originalMaxAge: MINUTE } });
    expect(backend.ttl('a')).toBe(MINUTE);
  });

  test('a person who changes it by little more is heard', async () => {
    const { backend, store } = setUp();
    for (const changed of [MINUTE + 1, MINUTE - 100]) {
      await store.set('a', plain({ n: 1 }, MINUTE));
      const request = await requestFor(store, 'a');
      request.session.cookie.maxAge = changed;
      await endUnchanged(request);
      expect(backend.ttl('a')).toBe(changed);
    }
  });
});
