import assert from 'node:assert/strict';
import { setImmediate as tick } from 'node:timers/promises';
import { answerOf, type Method, type Outcome, show } from '../calls.js';
import { type Context, holds } from '../context.js';
import { escapes, leavesProcessAlone } from '../escapes.js';
import { group, type Requirement } from '../requirement.js';
import { source } from '../sources.js';

/** Gives a store the time of two more calls, in which it could call back once more or let a promise reject. */
async function settle(t: Context): Promise<void> {
  for (const _ of [1, 2]) {
    await t.get(t.sid());
    await tick();
  }
}

/** How a method answers, and how often. */
async function answers(
  t: Context,
  method: Method,
  ...args: readonly unknown[]
): Promise<Outcome & { times: number }> {
  let times = 0;
  const outcome = await answerOf(method, (callback) =>
    t.invoke(method, ...args, (error: unknown, value: unknown) => {
      times += 1;
      callback(error, value);
    }),
  );
  await settle(t);
  return { ...outcome, times };
}

/** The arguments of every method, for a session that is there and for one that is not. */
async function calls(t: Context, method: Method): Promise<readonly (readonly unknown[])[]> {
  t.needs(method);
  if (method === 'all' || method === 'length' || method === 'clear') return [[]];
  const sid = t.sid();
  await t.set(sid, t.session({ user: 'ada' }));
  const sids = [[sid], [t.sid()]];
  return method === 'get' || method === 'destroy' ? sids : sids.map(([id]) => [id, t.session()]);
}

const methods = {
  get: 'The request hangs, or runs twice.',
  set: 'The answer hangs, or is ended twice.',
  destroy: 'Logging out hangs, or answers twice.',
  touch: 'Every request that only reads hangs, or its answer is ended twice.',
  all: 'Whoever waits for the list waits for ever, or gets it twice.',
  length: 'Whoever waits for the number waits for ever, or gets it twice.',
  clear: 'Whoever waits for the end waits for ever, or goes on twice.',
} satisfies Record<Method, string>;

const sources = {
  get: source.get,
  set: source.setAnswer,
  destroy: source.destroyAnswer,
  touch: source.touchAnswer,
  all: source.all,
  length: source.length,
  clear: source.clear,
};

const names = ['get', 'set', 'destroy', 'touch', 'all', 'length', 'clear'] as const;

/** A session that refers to itself, as no text or document can. */
function unserializable(t: Context) {
  const session = t.session();
  return Object.assign(session, { self: session });
}

/** Runs a step for each method that takes a session id and that the store has. */
async function forEachCall(t: Context, step: (method: Method, args: readonly unknown[]) => Promise<void>) {
  for (const method of ['get', 'set', 'destroy', 'touch'] as const) {
    if (typeof t.store[method] !== 'function') continue;
    for (const args of await calls(t, method)) await step(method, args);
  }
}

export const callback = group('CALLBACK', [
  ...names.map(
    (method, index): Omit<Requirement, 'group'> => ({
      id: `CALLBACK-00${index + 1}`,
      level: 'MUST',
      title: `${method} calls back exactly once`,
      source: sources[method],
      why: methods[method],
      alone: method === 'clear',
      run: async (t) => {
        for (const args of await calls(t, method)) {
          const { times, threw } = await answers(t, method, ...args);
          assert.ok(!threw, `${method} threw instead of calling back`);
          assert.equal(times, 1, `${method} called back ${times} times`);
        }
      },
    }),
  ),
  {
    id: 'CALLBACK-008',
    level: 'MUST',
    title: 'An error is called back exactly once',
    source: source.onError,
    why: 'An error that is called back twice runs the error handler twice; the second time the answer is already sent.',
    run: async (t) => {
      const { error, times, threw } = await answers(t, 'set', t.sid(), unserializable(t));
      assert.ok(error, 'a circular session was stored without an error');
      if (!threw) assert.equal(times, 1, `set called back ${times} times`);
      else assert.equal(times, 0, 'set called back and threw as well');
    },
  },
  {
    id: 'CALLBACK-009',
    level: 'SHOULD',
    title: 'An error comes by the callback; nothing is thrown',
    source: source.setAnswer,
    why: 'The caller waits for the callback; what is thrown instead may end the process.',
    run: async (t) => {
      const { error, threw } = await t.attempt('set', t.sid(), unserializable(t));
      assert.ok(error, 'a circular session was stored without an error');
      assert.ok(!threw, `set threw: ${show(error)}`);
    },
  },
  {
    id: 'CALLBACK-010',
    level: 'MUST',
    title: 'destroy works without a callback',
    source: source.bareDestroy,
    why: 'req.session.destroy() calls it so; a log-out would end the process.',
    alone: true,
    run: async (t) => {
      const sid = t.sid();
      await t.set(sid, t.session());
      await leavesProcessAlone(async () => {
        t.invoke('destroy', sid, undefined);
        t.invoke('destroy', t.sid());
        await t.until('the session is gone', 1_000, async () => (await t.get(sid)) === null);
      });
    },
  },
  {
    id: 'CALLBACK-011',
    level: 'SHOULD',
    title: 'set, touch and clear work without a callback',
    source: source.setAnswer,
    why: 'Calls whose result nobody waits for are common in scripts and jobs; one would end the process.',
    alone: true,
    run: async (t) => {
      const sid = t.sid();
      await leavesProcessAlone(async () => {
        t.invoke('set', sid, t.session({ user: 'ada' }));
        await t.until('the session is there', 1_000, async () => (await t.get(sid)) !== null);
        if (t.store.touch) t.invoke('touch', sid, t.session({ user: 'ada' }));
        await settle(t);
        if (t.store.clear) {
          t.invoke('clear');
          await t.until('the session is gone', 1_000, async () => (await t.get(sid)) === null);
        }
      });
    },
  },
  {
    id: 'CALLBACK-012',
    level: 'SHOULD',
    title: 'An error that nobody waits for ends no process',
    source: source.bareDestroy,
    why: 'A rejected promise that the caller never asked for ends the process of all users.',
    alone: true,
    run: async (t) => {
      await leavesProcessAlone(async () => {
        t.invoke('set', t.sid(), unserializable(t));
        await settle(t);
      });
    },
  },
  {
    id: 'CALLBACK-013',
    level: 'SHOULD',
    title: 'A callback that throws is not called again',
    source: source.onError,
    why: 'The rest of the request runs a second time, with an error that it caused itself.',
    alone: true,
    run: async (t) => {
      await forEachCall(t, async (method, args) => {
        let times = 0;
        await escapes(async () => {
          await answerOf(method, (answered) =>
            t.invoke(method, ...args, () => {
              times += 1;
              answered();
              throw new Error('thrown by the callback');
            }),
          );
          await settle(t);
        });
        assert.equal(times, 1, `the callback of ${method} was called ${times} times`);
      });
    },
  },
  {
    id: 'CALLBACK-014',
    level: 'SHOULD',
    title: 'An error that a callback throws is not swallowed',
    source: source.onError,
    why: 'A bug of the application stays invisible, and the request hangs.',
    alone: true,
    run: async (t) => {
      await forEachCall(t, async (method, args) => {
        const bug = new Error('thrown by the callback');
        let thrown: unknown;
        const escaped = await escapes(async () => {
          await answerOf(method, (answered) => {
            try {
              return t.invoke(method, ...args, () => {
                answered();
                throw bug;
              });
            } catch (error) {
              thrown = error;
              return undefined;
            }
          });
          await settle(t);
        });
        assert.ok(
          thrown === bug || escaped.includes(bug),
          `the error thrown by the callback of ${method} is lost`,
        );
      });
    },
  },
  {
    id: 'CALLBACK-015',
    level: 'MAY',
    title: 'Without a callback, every method answers with a promise',
    source: source.setAnswer,
    why: 'Code outside of requests is written with await.',
    alone: true,
    run: async (t) => {
      const promised = (method: Method, args: readonly unknown[]) => {
        let returned: unknown;
        try {
          returned = t.invoke(method, ...args);
        } catch (error) {
          returned = error;
        }
        assert.ok(returned instanceof Promise, `${method} without a callback answers with ${show(returned)}`);
        return returned.catch((error: unknown) => assert.fail(`${method} rejected: ${show(error)}`));
      };
      const judge = async () => {
        for (const method of names) {
          if (typeof t.store[method] !== 'function') continue;
          const [args = []] = await calls(t, method);
          await promised(method, args);
        }
        const sid = t.sid();
        await promised('set', [sid, t.session({ user: 'ada' })]);
        holds(await promised('get', [sid]), { user: 'ada' });
        await assert.rejects(
          promised('set', [sid, unserializable(t)]),
          'an error does not reject the promise',
        );
      };
      // A store that wants a callback all the same throws when it has the answer: that is not to come while others are judged.
      await escapes(() => judge().finally(() => settle(t)));
    },
  },
]);
