import type { SessionData as Data, Session } from 'express-session';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import {
  dropped,
  held,
  lost,
  newRequest,
  plain,
  refused,
  requestFor,
  settled,
  setUp,
  silent,
} from './helpers.js';

type SessionData = Session & Data;

const discarded = (operation: 'set' | 'touch') => ['discarded', expect.objectContaining({ operation })];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
  return () => vi.useRealTimers();
});

describe('the condition of a write', () => {
  test('a plain object is written always', async () => {
    const { backend, store } = setUp();
    await store.set('a', plain({ n: 1 }));
    await store.set('a', plain({ n: 2 }));
    expect(backend.calls).toEqual(['write a always', 'write a always']);
  });

  test('a new session is written always, once, and then by comparison', async () => {
    const { backend, store } = setUp();
    const { session } = newRequest(store);
    for (const n of [1, 2, 3]) {
      session.n = n;
      await store.set(session.id, session);
    }
    expect(backend.calls).toEqual([
      `write ${session.id} always`,
      `write ${session.id} equals`,
      `write ${session.id} equals`,
    ]);
  });

  test.each([
    ['merge', 'equals'],
    ['reject', 'equals'],
    ['overwrite', 'exists'],
  ] as const)('a changed session under conflicts: %s is written when it %s', async (conflicts, when) => {
    const { backend, store } = setUp({ conflicts });
    backend.put('a', plain({ n: 1 }));
    const { session } = await requestFor(store, 'a');
    session.n = 2;
    await store.set('a', session);
    session.n = 3;
    await store.set('a', session);
    expect(backend.calls).toEqual(['read a', `write a ${when}`, `write a ${when}`]);
    expect(backend.json('a')).toMatchObject({ n: 3 });
  });

  test('a session under another id is a plain object', async () => {
    const { backend, store } = setUp();
    backend.put('a', plain({ n: 1 }));
    const { session } = await requestFor(store, 'a');
    await store.set('b', session);
    expect(backend.calls).toEqual(['read a', 'write b always']);
    expect(backend.json('b')).toMatchObject({ n: 1 });
    await store.destroy('a');
    session.n = 2;
    await store.set('a', session);
    expect(await store.get('a'), 'its own id is still that of a loaded session').toBeNull();
  });

  test('a session of a request that belongs to another store is a plain object, as behind a store that wraps this one', async () => {
    const { backend, store } = setUp();
    const { store: wrapper } = setUp();
    backend.put('a', plain({ n: 1 }, 60_000), 1_000);
    const session = wrapper.createSession(
      Object.assign(newRequest(wrapper), { sessionID: 'a' }),
      plain({ n: 2 }, 60_000),
    );
    await store.touch('a', session);
    await store.set('a', session);
    expect(backend.calls).toEqual(['touch a set 60000', 'write a always']);
  });

  test('a session made of data that get did not return is compared with what is there', async () => {
    const { backend, store } = setUp();
    backend.put('a', plain({ n: 1 }));
    const request = newRequest(store);
    Object.assign(request, { sessionID: 'a' });
    const session = store.createSession(request, plain({ n: 5 }));
    session.n = 6;
    await store.set('a', session);
    expect(backend.calls).toEqual(['read a', 'write a equals']);
    expect(backend.json('a')).toMatchObject({ n: 6 });
  });
});

describe('destroy is final', () => {
  test.each(['merge', 'overwrite', 'reject'] as const)(
    'a late save and a late touch change nothing under conflicts: %s',
    async (conflicts) => {
      const { backend, store } = setUp({ conflicts, touchAfter: 0 });
      backend.put('a', plain({ n: 1 }, 60_000));
      const { session } = await requestFor(store, 'a');
      await store.destroy('a');
      await store.touch('a', session);
      session.n = 2;
      await store.set('a', session);
      await settled();
      expect(backend.rows.size).toBe(0);
      expect(store.announced).toEqual([discarded('touch'), discarded('set')]);
    },
  );

  test('a late save does not bring back a new session that was stored and destroyed', async () => {
    const { backend, store } = setUp();
    const { session } = newRequest(store);
    session.save();
    session.destroy(() => {});
    session.n = 2;
    session.save();
    await settled();
    expect(backend.rows.size).toBe(0);
    expect(store.announced).toEqual([discarded('set')]);
  });

  test('a late save does not create a new session that was destroyed before it was ever stored', async () => {
    const { backend, store } = setUp();
    const { session } = newRequest(store);
    session.destroy(() => {});
    session.n = 1;
    session.save();
    await settled();
    expect(backend.rows.size).toBe(0);
    expect(store.announced).toEqual([discarded('set')]);
  });

  test.each(['stored', 'never stored'])(
    'a late save through the object of before regenerate, %s',
    async (how) => {
      const { backend, store } = setUp();
      const request = newRequest(store);
      const old = request.session;
      if (how === 'stored') await store.set(old.id, old);
      await store.regenerate(request);
      old.n = 1;
      old.save();
      request.session.n = 2;
      request.session.save();
      await settled();
      expect([...backend.rows.keys()]).toEqual([request.session.id]);
      expect(store.announced).toEqual([discarded('set')]);
    },
  );

  test('a plain set creates the session anew, for that is the contract', async () => {
    const { backend, store } = setUp();
    await store.destroy('a');
    await store.set('a', plain({ n: 1 }));
    expect(backend.json('a')).toMatchObject({ n: 1 });
  });

  test('a plain touch never creates', async () => {
    const { backend, store } = setUp();
    await store.touch('a', plain({ n: 1 }));
    expect(backend.rows.size).toBe(0);
  });

  test('a new session is not created by a touch', async () => {
    const { backend, store } = setUp();
    const { session } = newRequest(store);
    await store.touch(session.id, session);
    expect(backend.calls).toEqual([]);
  });
});

describe('two requests change one session', () => {
  async function twoRequests(conflicts: 'merge' | 'overwrite' | 'reject') {
    const { backend, store } = setUp({ conflicts });
    backend.put('a', plain({ n: 1 }));
    const [one, two] = [await requestFor(store, 'a'), await requestFor(store, 'a')];
    one.session.user = 'one';
    await store.set('a', one.session);
    two.session.n = 2;
    return { backend, store, second: () => store.set('a', two.session), session: two.session };
  }

  test('overwrite: the later one is stored', async () => {
    const { backend, second } = await twoRequests('overwrite');
    await second();
    expect(backend.json('a')).toMatchObject({ n: 2 });
    expect(backend.json('a')).not.toHaveProperty('user');
  });

  test('merge: the changes of both are stored', async () => {
    const { backend, second } = await twoRequests('merge');
    await second();
    expect(backend.json('a')).toMatchObject({ n: 2, user: 'one' });
  });

  test('merge: a second save of the later one, which has not seen what the first one did, deletes nothing', async () => {
    const { backend, store, second, session } = await twoRequests('merge');
    await second();
    session.n = 3;
    backend.takeCalls();
    await store.set('a', session);
    expect(backend.json('a')).toMatchObject({ n: 3, user: 'one' });
    expect(backend.calls, 'nothing has to be read for it').toEqual(['write a equals']);
  });

  test('merge: what was merged in is not taken for what the request has stored', async () => {
    const { backend, store, second, session } = await twoRequests('merge');
    await second();
    const other = await requestFor(store, 'a');
    delete other.session.user;
    await store.set('a', other.session);
    session.n = 3;
    await store.set('a', session);
    expect(backend.json('a')).toMatchObject({ n: 3 });
    expect(backend.json('a')).not.toHaveProperty('user');
  });

  test('merge: the reloaded state is what changes are told from', async () => {
    const { backend, store } = await twoRequests('merge');
    const late = await requestFor(store, 'a');
    late.session.note = ['mine'];
    const other = await requestFor(store, 'a');
    other.session.note = ['theirs'];
    await store.set('a', other.session);
    await new Promise<void>((done) => void late.session.reload(() => done()));
    late.session.note = [];
    await store.set('a', late.session);
    expect(backend.json('a')).toMatchObject({ note: [] });
  });

  test('merge: keys that express-session does not load are kept', async () => {
    const { backend, store } = setUp();
    backend.put('a', { ...plain({ n: 1 }), id: 'mine', reload: 1 });
    const { session } = await requestFor(store, 'a');
    session.n = 2;
    await store.set('a', session);
    session.n = 3;
    await store.set('a', session);
    expect(backend.json('a')).toMatchObject({ n: 3, id: 'mine', reload: 1 });
    expect(backend.calls).toEqual(['read a', 'write a equals', 'write a equals']);
  });

  test('merge: what is there now has to be a session', async () => {
    const { backend, second } = await twoRequests('merge');
    backend.put('a', 'garbage');
    await expect(second()).rejects.toMatchObject({
      code: 'CORRUPT',
      operation: 'set',
      mayHaveHappened: false,
    });
    expect(backend.text('a')).toBe('garbage');
  });

  test('merge: many at once cost a write each, for each knows what the one before it has stored', async () => {
    const { backend, store } = setUp();
    backend.put('a', plain());
    const requests = await Promise.all(Array.from({ length: 20 }, () => requestFor(store, 'a')));
    backend.takeCalls();
    await Promise.all(
      requests.map(({ session }, n) => {
        session.note = [n];
        return store.set('a', session);
      }),
    );
    expect(backend.json('a')).toMatchObject({ note: requests.map((_, n) => n) });
    expect(backend.takeCalls()).toEqual(requests.map(() => 'write a equals'));

    // Nothing is kept of it: others may have written since.
    backend.put('a', plain({ n: 7 }));
    const { session } = await requestFor(store, 'a');
    session.user = 'ann';
    await store.set('a', session);
    expect(backend.json('a')).toMatchObject({ n: 7, user: 'ann' });
    expect(backend.calls).toEqual(['read a', 'write a equals']);
  });

  test('merge: what the one before has stored may be gone by then', async () => {
    const { backend, store } = setUp();
    backend.put('a', plain());
    const [one, two] = [await requestFor(store, 'a'), await requestFor(store, 'a')];
    one.session.n = 1;
    two.session.user = 'two';
    const saves = [store.set('a', one.session), store.destroy('a'), store.set('a', two.session)];
    await Promise.all(saves);
    expect(backend.rows.size).toBe(0);
    await settled();
    expect(store.announced).toEqual([discarded('set')]);
  });

  test.each(['merge', 'reject'] as const)(
    '%s: another text that says the same is no conflict',
    async (conflicts) => {
      const { backend, store } = setUp({ conflicts });
      const again = () =>
        backend.put('a', {
          n: 1,
          cookie: { originalMaxAge: 60_000, expires: new Date(), httpOnly: true, path: '/' },
        });
      again();
      const { session } = await requestFor(store, 'a');
      vi.advanceTimersByTime(1_000);
      again();
      session.n = 2;
      await store.set('a', session);
      expect(backend.json('a')).toMatchObject({ n: 2 });
    },
  );

  test('reject: the later one is answered with CONFLICT and changes nothing', async () => {
    const { backend, second } = await twoRequests('reject');
    const before = backend.text('a');
    await expect(second()).rejects.toMatchObject({ code: 'CONFLICT', mayHaveHappened: false });
    await expect(second(), 'and so again').rejects.toMatchObject({ code: 'CONFLICT' });
    expect(backend.text('a')).toBe(before);
  });

  test('reject: a session loaded anew can be saved', async () => {
    const { backend, store, second } = await twoRequests('reject');
    await expect(second()).rejects.toMatchObject({ code: 'CONFLICT' });
    const { session } = await requestFor(store, 'a');
    session.n = 3;
    await store.set('a', session);
    expect(backend.json('a')).toMatchObject({ n: 3, user: 'one' });
  });

  test('reject: nobody is refused for what was changed and changed back', async () => {
    const { backend, second } = await twoRequests('reject');
    backend.next('read', (_call, act) => {
      backend.put('a', plain({ n: 1 }));
      return act();
    });
    await second();
    expect(backend.json('a')).toMatchObject({ n: 2 });
  });

  test('a save that lost against another and could not look at it certainly changed nothing', async () => {
    const { backend, second } = await twoRequests('merge');
    backend.next('read', dropped);
    await expect(second()).rejects.toMatchObject({ code: 'BACKEND', mayHaveHappened: false });
  });

  test('reject: who takes the change back is not refused again', async () => {
    const { backend, second, session } = await twoRequests('reject');
    await expect(second()).rejects.toMatchObject({ code: 'CONFLICT' });
    session.n = 1;
    await second();
    expect(backend.json('a')).toMatchObject({ n: 1, user: 'one' });
  });

  test('contention that lasts is answered with CONFLICT within timeoutMs', async () => {
    const { backend, store } = setUp({ timeoutMs: 100 });
    backend.put('a', plain({ n: 1 }));
    const { session } = await requestFor(store, 'a');
    let others = 0;
    backend.between = async (call, act) => {
      await vi.advanceTimersByTimeAsync(10);
      if (call.startsWith('write')) {
        others += 1;
        backend.put('a', plain({ n: others + 100 }));
      }
      return act();
    };
    session.n = 2;
    await expect(store.set('a', session)).rejects.toMatchObject({ code: 'CONFLICT' });
    await settled();
    expect(others, 'nothing is sent after the answer').toBeLessThan(10);
    expect(backend.json('a')).toMatchObject({ n: others + 100 });
  });
});

describe('two requests and the cookie', () => {
  const minute = 60_000;
  const year = 365 * 86_400_000;

  async function cookieRace(change: (session: SessionData) => void) {
    const { backend, store } = setUp();
    backend.put('a', plain({ n: 1 }, minute), minute);
    const [slow, fast] = [await requestFor(store, 'a'), await requestFor(store, 'a')];
    change(fast.session);
    await store.touch('a', fast.session);
    return { backend, store, slow: slow.session };
  }
  const raise = (session: SessionData) => {
    session.cookie.maxAge = year;
  };

  test('a late change of data keeps the longer lifetime that another request has set', async () => {
    const { backend, store, slow } = await cookieRace(raise);
    slow.n = 2;
    slow.touch();
    await store.set('a', slow);
    expect(backend.json('a')).toMatchObject({ n: 2, cookie: { originalMaxAge: year } });
    expect(backend.ttl('a')).toBe(year);
    slow.n = 3;
    await store.set('a', slow);
    expect(backend.ttl('a'), 'also the second time').toBe(year);
    await store.touch('a', slow);
    expect(backend.ttl('a'), 'and when it is touched').toBe(year);
  });

  test('a session without an end that another request made stays one', async () => {
    const { backend, store, slow } = await cookieRace((session) => {
      session.cookie.maxAge = 0;
      Object.assign(session.cookie, { expires: null });
    });
    slow.n = 2;
    await store.set('a', slow);
    expect(backend.json('a')).toMatchObject({ n: 2, cookie: { originalMaxAge: null, expires: null } });
    expect(backend.ttl('a')).toBe(86_400_000);
  });

  test('a change of the cookie alone keeps the data that another request has changed', async () => {
    const { backend, store, slow } = await cookieRace((session) => {
      session.n = 2;
    });
    raise(slow);
    await store.touch('a', slow);
    expect(backend.json('a')).toMatchObject({ n: 2, cookie: { originalMaxAge: year } });
    expect(backend.ttl('a')).toBe(year);
  });

  test('the later of two lifetimes stands, and every other attribute is kept', async () => {
    const { backend, store, slow } = await cookieRace((session) => {
      session.cookie.maxAge = year;
      session.cookie.sameSite = 'strict';
    });
    slow.cookie.maxAge = 2 * minute;
    slow.cookie.path = '/app';
    await store.touch('a', slow);
    expect(backend.json('a')?.['cookie']).toMatchObject({
      originalMaxAge: 2 * minute,
      sameSite: 'strict',
      path: '/app',
    });
    expect(backend.ttl('a')).toBe(2 * minute);
  });

  test('a slow request whose own deadline has passed, with another path for its cookie, ends nothing', async () => {
    const { backend, store, slow } = await cookieRace((session) => session.touch());
    backend.put('a', backend.text('a') ?? '', year);
    vi.advanceTimersByTime(2 * minute);
    slow.cookie.path = '/app';
    await store.set('a', slow);
    expect(backend.json('a')).toMatchObject({ cookie: { path: '/app' } });
  });
});

describe('a write whose answer was lost', () => {
  test('a create that arrived is known again by the next save', async () => {
    const { backend, store } = setUp({ conflicts: 'reject' });
    const { session } = newRequest(store);
    session.n = 1;
    backend.next('write', lost);
    await expect(store.set(session.id, session)).rejects.toMatchObject({
      code: 'BACKEND',
      mayHaveHappened: true,
    });
    session.n = 2;
    await store.set(session.id, session);
    expect(backend.json(session.id)).toMatchObject({ n: 2 });
    expect(backend.calls.slice(1)).toEqual([`read ${session.id}`, `write ${session.id} equals`]);
  });

  test('a create is not sent again: it could land after the logout', async () => {
    const { backend, store } = setUp();
    const { session } = newRequest(store);
    backend.next('write', dropped);
    await expect(store.set(session.id, session)).rejects.toMatchObject({ mayHaveHappened: true });
    session.n = 2;
    await store.set(session.id, session);
    await settled();
    expect(backend.calls.filter((call) => call.endsWith('always'))).toHaveLength(1);
    expect(backend.rows.size).toBe(0);
    expect(store.announced).toContainEqual(discarded('set'));
  });

  test('a create that certainly did not arrive is sent again', async () => {
    const { backend, store } = setUp();
    const { session } = newRequest(store);
    backend.next('write', refused);
    await expect(store.set(session.id, session)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      mayHaveHappened: false,
    });
    await store.set(session.id, session);
    expect(backend.rows.has(session.id)).toBe(true);
  });

  test.each([
    ['arrived', lost],
    ['did not arrive', dropped],
    ['certainly did not arrive', refused],
  ])('a change that %s is no conflict with the next save of the same request', async (_how, outcome) => {
    const { backend, store } = setUp({ conflicts: 'reject' });
    backend.put('a', plain({ n: 1 }));
    const { session } = await requestFor(store, 'a');
    session.n = 2;
    backend.next('write', outcome);
    await expect(store.set('a', session)).rejects.toThrow();
    session.n = 3;
    await store.set('a', session);
    expect(backend.json('a')).toMatchObject({ n: 3 });
  });

  test('a refused change after it does not make it forgotten', async () => {
    const { backend, store } = setUp({ conflicts: 'reject' });
    backend.put('a', plain({ n: 1 }));
    const { session } = await requestFor(store, 'a');
    session.n = 2;
    backend.next('write', lost);
    await expect(store.set('a', session)).rejects.toMatchObject({ mayHaveHappened: true });
    session.n = 3;
    // The first comparison fails, for the lost change has arrived; the second write is refused.
    backend.next('write', (_call, act) => act());
    backend.next('write', refused);
    await expect(store.set('a', session)).rejects.toMatchObject({ mayHaveHappened: false });
    session.n = 4;
    await store.set('a', session);
    expect(backend.json('a')).toMatchObject({ n: 4 });
  });

  test('merge: a change that arrived is not redone', async () => {
    const { backend, store } = setUp();
    backend.put('a', plain({ note: ['a'] }));
    const { session } = await requestFor(store, 'a');
    session.note = ['a', 'b'];
    backend.next('write', lost);
    await expect(store.set('a', session)).rejects.toThrow();
    session.note = ['a', 'b', 'c'];
    await store.set('a', session);
    expect(backend.json('a'), 'redone, it would be there twice').toMatchObject({ note: ['a', 'b', 'c'] });
  });

  test.each([1, 2])('merge: of two unknown changes the %d. may be what is there', async (arrived) => {
    const { backend, store } = setUp();
    backend.put('a', plain({ note: ['a'] }));
    const { session } = await requestFor(store, 'a');
    for (const [n, note] of [
      ['a', 'b'],
      ['a', 'b', 'c'],
    ].entries()) {
      session.note = note;
      backend.next('write', n + 1 === arrived ? lost : dropped);
      await expect(store.set('a', session)).rejects.toThrow();
    }
    session.note = ['a', 'b', 'c', 'd'];
    await store.set('a', session);
    expect(backend.json('a')).toMatchObject({ note: ['a', 'b', 'c', 'd'] });
  });

  test.each(['set', 'touch'] as const)(
    '%s of what was changed back afterwards is not taken for unchanged',
    async (method) => {
      const { backend, store } = setUp({ conflicts: 'reject' });
      backend.put('a', plain({ n: 1 }));
      const { session } = await requestFor(store, 'a');
      session.n = 2;
      backend.next('write', lost);
      await expect(store.set('a', session)).rejects.toThrow();
      session.n = 1;
      await store[method]('a', session);
      expect(backend.json('a')).toMatchObject({ n: 1 });
    },
  );

  test('an answer that comes after the time limit does not make the request believe an old state', async () => {
    const { backend, store } = setUp({ conflicts: 'reject', timeoutMs: 100 });
    backend.put('a', plain({ n: 1 }));
    const { session } = await requestFor(store, 'a');
    const gate = held();
    session.n = 2;
    backend.next('write', (call, act, caller) => {
      const done = act();
      return gate.between(call, () => done, caller);
    });
    const first = expect(store.set('a', session)).rejects.toMatchObject({
      code: 'TIMEOUT',
      mayHaveHappened: true,
    });
    await vi.advanceTimersByTimeAsync(100);
    await first;
    session.n = 3;
    await store.set('a', session);
    gate.release();
    await settled();
    session.n = 2;
    await store.set('a', session);
    expect(backend.json('a')).toMatchObject({ n: 2 });
  });

  test.each([
    ['that it was done', lost],
    ['that it was not done', refused],
  ])('an answer %s, after the time limit, is not believed of a later write', async (_what, outcome) => {
    const { backend, store } = setUp({ conflicts: 'reject', timeoutMs: 100 });
    const { session } = newRequest(store);
    const gate = held();
    backend.next('write', async (call, act, caller) => {
      await gate.between(call, () => {}, caller);
      return await outcome(call, act, caller);
    });
    const first = expect(store.set(session.id, session)).rejects.toMatchObject({ code: 'TIMEOUT' });
    await vi.advanceTimersByTimeAsync(100);
    await first;
    gate.release();
    await settled();
    await store.destroy(session.id);
    session.n = 2;
    await store.set(session.id, session);
    expect(backend.rows.size).toBe(0);
  });

  test('a touch whose answer was lost is sent again', async () => {
    const { backend, store } = setUp({ touchAfter: 0 });
    backend.put('a', plain({ n: 1 }, 60_000), 1_000);
    const { session } = await requestFor(store, 'a');
    backend.next('touch', dropped);
    await expect(store.touch('a', session)).rejects.toMatchObject({ mayHaveHappened: true });
    await store.touch('a', session);
    expect(backend.ttl('a')).toBe(60_000);
  });
});

test('a save that waits behind a slow one is written after it, both by comparison', async () => {
  const { backend, store } = setUp({ conflicts: 'reject' });
  const { session } = newRequest(store);
  const gate = held();
  backend.next('write', gate.between);
  session.n = 1;
  const first = store.set(session.id, session);
  session.n = 2;
  const second = store.set(session.id, session);
  session.n = 3;
  gate.release();
  await Promise.all([first, second]);
  expect(backend.json(session.id)).toMatchObject({ n: 2 });
  expect(backend.calls).toEqual([`write ${session.id} always`, `write ${session.id} equals`]);
});

test('a silent server is a TIMEOUT and no CONFLICT', async () => {
  const { backend, store } = setUp({ conflicts: 'merge', timeoutMs: 100 });
  backend.put('a', plain({ n: 1 }));
  const { session } = await requestFor(store, 'a');
  backend.between = silent;
  session.n = 2;
  const save = expect(store.set('a', session)).rejects.toMatchObject({
    code: 'TIMEOUT',
    mayHaveHappened: true,
  });
  await vi.advanceTimersByTimeAsync(100);
  await save;
});
