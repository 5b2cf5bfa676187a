import fc from 'fast-check';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { held, plain, requestFor, runModule, settled, setUp, silent } from './helpers.js';

type Command =
  | { readonly do: 'get' | 'touch' | 'destroy'; readonly id: 'a' | 'b' }
  | { readonly do: 'set' | 'save'; readonly id: 'a' | 'b'; readonly n: number };

const id = fc.constantFrom('a' as const, 'b' as const);
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ do: fc.constantFrom('get', 'touch', 'destroy'), id }),
  fc.record({ do: fc.constantFrom('set', 'save'), id, n: fc.integer({ min: 0, max: 3 }) }),
);

/** What the calls would do one after the other. `save` is a request's, which began with `n: 0`. */
function sequentially(commands: readonly Command[]) {
  const stored = new Map([
    ['a', 0],
    ['b', 0],
  ]);
  const saved = new Map(stored);
  const read = commands.map((command) => {
    const { id } = command;
    if (command.do === 'get') return stored.get(id) ?? null;
    if (command.do === 'destroy') stored.delete(id);
    if (command.do === 'set') stored.set(id, command.n);
    if (command.do === 'save' && stored.has(id) && saved.get(id) !== command.n) {
      stored.set(id, command.n);
      saved.set(id, command.n);
    }
    return undefined;
  });
  return { read, stored: Object.fromEntries(stored) };
}

test('calls on one id that nobody waits for take effect in the order in which they were made', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { maxLength: 12 }),
      fc.scheduler(),
      fc.boolean(),
      async (commands, s, early) => {
        const { backend, store } = setUp();
        backend.put('a', plain({ n: 0 }));
        backend.put('b', plain({ n: 0 }));
        const sessions = {
          a: (await requestFor(store, 'a')).session,
          b: (await requestFor(store, 'b')).session,
        };
        backend.between = async (call, act) => {
          if (!early) return await s.schedule(Promise.resolve(), call).then(act);
          const done = act();
          return await s.schedule(Promise.resolve(done), call);
        };
        const answers = commands.map(async (command) => {
          const { id } = command;
          if (command.do === 'get') return (await store.get(id))?.n ?? null;
          if (command.do === 'touch') return await store.touch(id, plain());
          if (command.do === 'destroy') return await store.destroy(id);
          if (command.do === 'set') return await store.set(id, plain({ n: command.n }));
          if (command.do !== 'save') return undefined;
          sessions[id].n = command.n;
          return await store.set(id, sessions[id]);
        });
        const read = await s.waitFor(Promise.all(answers));
        const stored = Object.fromEntries(
          [...backend.rows.keys()].map((id) => [id, backend.json(id)?.['n']]),
        );
        expect({ read, stored }).toEqual(sequentially(commands));
      },
    ),
    { numRuns: 300 },
  );
});

test('reads of one id are under way together', async () => {
  const { backend, store } = setUp();
  const gate = held();
  backend.between = gate.between;
  const reads = [store.get('a'), store.get('a'), store.get('a')];
  await settled();
  expect(backend.calls).toEqual(['read a', 'read a', 'read a']);
  gate.release();
  await Promise.all(reads);
});

test('a change waits for the reads before it, and a read for the change before it', async () => {
  const { backend, store } = setUp();
  const [first, second] = [held(), held()];
  backend.next('read', first.between);
  backend.next('write', second.between);
  const read = store.get('a');
  const write = store.set('a', plain({ n: 1 }));
  const readAfter = store.get('a');
  await settled();
  expect(backend.takeCalls()).toEqual(['read a']);
  first.release();
  await settled();
  expect(backend.takeCalls()).toEqual(['write a always']);
  second.release();
  expect(await read).toBeNull();
  await write;
  expect(await readAfter).toMatchObject({ n: 1 });
});

test('a call that comes when the first of two changes is done waits for the second', async () => {
  const { backend, store } = setUp();
  const [first, second] = [held(), held()];
  backend.next('write', first.between);
  backend.next('write', second.between);
  const changes = [store.set('a', plain({ n: 1 })), store.set('a', plain({ n: 2 }))];
  first.release();
  await changes[0];
  const read = store.get('a');
  await settled();
  expect(backend.calls).toEqual(['write a always', 'write a always']);
  second.release();
  expect(await read).toMatchObject({ n: 2 });
  await changes[1];
});

test('different ids do not wait for each other', async () => {
  const { backend, store } = setUp();
  backend.next('write a', silent);
  void store.set('a', plain({ n: 1 }));
  await store.set('b', plain({ n: 2 }));
  expect(await store.get('b')).toMatchObject({ n: 2 });
});

test('a call goes out at once when nothing is before it', () => {
  const { backend, store } = setUp();
  void store.set('a', plain({ n: 1 }));
  expect(backend.json('a')).toMatchObject({ n: 1 });
});

test('a failed call does not stop those behind it', async () => {
  const { backend, store } = setUp();
  backend.next('write', () => Promise.reject(new Error('down')));
  const [first, second] = [store.set('a', plain({ n: 1 })), store.set('a', plain({ n: 2 }))];
  await expect(first).rejects.toMatchObject({ code: 'BACKEND' });
  await second;
  expect(backend.json('a')).toMatchObject({ n: 2 });
});

test('what is written is what the object held when the call was made', async () => {
  const { backend, store } = setUp();
  const gate = held();
  backend.between = gate.between;
  const session = plain({ n: 1, note: { deep: ['before'] } });
  const ahead = store.get('a');
  const write = store.set('a', session);
  Object.assign(session, { n: 2, note: { deep: ['after'] }, cookie: null });
  gate.release();
  await Promise.all([ahead, write]);
  expect(backend.json('a')).toMatchObject({ n: 1, note: { deep: ['before'] }, cookie: { path: '/' } });
});

describe('timeouts', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
    return () => vi.useRealTimers();
  });

  test.each(['get', 'length', 'all'] as const)(
    '%s that is not answered certainly changed nothing',
    async (method) => {
      const { backend, store } = setUp({ timeoutMs: 100 });
      backend.between = silent;
      const call = method === 'get' ? store.get('a') : store[method]();
      const answer = expect(call).rejects.toMatchObject({
        code: 'TIMEOUT',
        operation: method,
        mayHaveHappened: false,
        message: expect.stringContaining('no answer within 100 ms'),
      });
      await vi.advanceTimersByTimeAsync(100);
      await answer;
    },
  );

  test.each(['set', 'destroy', 'clear', 'touch'] as const)(
    '%s that is not answered may have happened',
    async (method) => {
      const { backend, store } = setUp({ timeoutMs: 100 });
      backend.between = silent;
      const calls = {
        set: () => store.set('a', plain()),
        touch: () => store.touch('a', plain()),
        destroy: () => store.destroy('a'),
        clear: () => store.clear(),
      };
      const answer = expect(calls[method]()).rejects.toMatchObject({
        code: 'TIMEOUT',
        mayHaveHappened: true,
        message: expect.stringMatching(/no answer within 100 ms \(it may have taken effect\)$/),
      });
      await vi.advanceTimersByTimeAsync(99);
      await vi.advanceTimersByTimeAsync(1);
      await answer;
    },
  );

  test('five seconds when nothing else is said', async () => {
    const { backend, store } = setUp();
    backend.between = silent;
    let answered = false;
    const call = store.get('a').catch(() => {
      answered = true;
    });
    await vi.advanceTimersByTimeAsync(4_999);
    expect(answered).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await call;
    expect(answered).toBe(true);
  });

  test('a call that waited for its turn until the time was up is never sent', async () => {
    const { backend, store } = setUp({ timeoutMs: 100 });
    backend.next('write', async (_call, act, caller) => {
      await vi.advanceTimersByTimeAsync(60);
      caller.progress();
      await vi.advanceTimersByTimeAsync(60);
      return act();
    });
    const first = store.set('a', plain({ n: 1 }));
    const queued = expect(store.destroy('a')).rejects.toMatchObject({
      code: 'TIMEOUT',
      mayHaveHappened: false,
    });
    await Promise.all([first, queued]);
    await store.get('a');
    expect(backend.calls).toEqual(['write a always', 'read a']);
  });

  test('the calls behind one whose time is up go on', async () => {
    const { backend, store } = setUp({ timeoutMs: 100 });
    backend.next('write', silent);
    const first = expect(store.set('a', plain({ n: 1 }))).rejects.toMatchObject({ code: 'TIMEOUT' });
    await vi.advanceTimersByTimeAsync(50);
    const second = store.set('a', plain({ n: 2 }));
    await vi.advanceTimersByTimeAsync(50);
    await Promise.all([first, second]);
    expect(backend.json('a')).toMatchObject({ n: 2 });
  });

  test('a backend that waits for a connection learns that its caller has been answered', async () => {
    const { backend, store } = setUp({ timeoutMs: 100 });
    const gate = held();
    backend.next('write', async (call, act, caller) => {
      await gate.between(call, () => {}, caller);
      caller.check();
      return act();
    });
    const write = expect(store.set('a', plain({ n: 1 }))).rejects.toMatchObject({ code: 'TIMEOUT' });
    await vi.advanceTimersByTimeAsync(100);
    await write;
    gate.release();
    await settled();
    expect(backend.rows.size).toBe(0);
  });

  test('a long operation has the time limit for each page', async () => {
    const { backend, store } = setUp({ timeoutMs: 100 });
    backend.next('clear', async (_call, act, caller) => {
      for (let page = 0; page < 5; page += 1) {
        await vi.advanceTimersByTimeAsync(90);
        caller.progress();
      }
      return act();
    });
    await store.clear();
    backend.next('clear', async (_call, _act, caller) => {
      await vi.advanceTimersByTimeAsync(90);
      caller.progress();
      return await silent(_call, _act, caller);
    });
    const stuck = expect(store.clear()).rejects.toMatchObject({ code: 'TIMEOUT' });
    await vi.advanceTimersByTimeAsync(190);
    await stuck;
  });
});

test('ids that were used and are not any more take no memory', async () => {
  const { stdout } = await runModule(
    `import { SessionStore } from '@session-stores/core';
    const backend = { name: 'child', capabilities: {}, read: () => undefined, remove: async () => true };
    class TestStore extends SessionStore { constructor() { super(backend, {}); } }
    const store = new TestStore();
    const use = async (round) => {
      for (let n = 0; n < 20_000; n += 100) {
        await Promise.all(Array.from({ length: 100 }, (_, i) => {
          const id = ('id' + round + '-' + (n + i)).padEnd(128, 'x');
          return Promise.all([store.get(id), store.destroy(id), store.get(id)]);
        }));
      }
      await new Promise(setImmediate);
      gc();
      return process.memoryUsage().heapUsed;
    };
    const before = await use(1);
    console.log(((await use(2)) - before) / 20_000);`,
    '--expose-gc',
  );
  // Bytes for each id; one entry of a Map with its id is above 200.
  expect(Number(stdout)).toBeLessThan(50);
});
