import assert from 'node:assert/strict';
import type { App, Browser, Routes, SessionOptions } from '../app.js';
import { answerOf, type LiveSession, show } from '../calls.js';
import { type Context, holds } from '../context.js';
import { gate } from '../gate.js';
import { group } from '../requirement.js';
import { source } from '../sources.js';

/** Saves as a request does. Whether a late save answers with an error is not judged. */
const save = (session: LiveSession) => answerOf('save', (callback) => session.save(callback));

/** What happens to a session while a slow request that has loaded it is running, and what the slow request does then. */
interface Overtaking {
  readonly options?: SessionOptions;
  /** What the slow request does to its session after it was overtaken. */
  readonly late?: (session: LiveSession) => unknown;
  /** What the other request does. */
  readonly meanwhile: Routes[string];
}

/** Runs a request that another one of the same browser overtakes. */
async function overtake(
  t: Context,
  { options = {}, late = () => {}, meanwhile }: Overtaking,
): Promise<{ app: App; slow: Browser; fast: Browser; sid: string }> {
  const [loaded, proceed] = [gate(), gate()];
  const app = await t.app(options, {
    login: (req) => {
      req.session['user'] = 'ada';
      return req.sessionID;
    },
    who: (req) => req.session['user'],
    slow: async (req) => {
      loaded.open();
      await proceed.opened;
      await late(req.session);
    },
    meanwhile,
  });
  const fast = app.browser();
  const sid = String(await fast.go('login'));
  const slow = app.browser(fast.cookie);
  const running = slow.go('slow');
  await Promise.race([loaded.opened, running]);
  await fast.go('meanwhile').finally(proceed.open);
  await running;
  return { app, slow, fast, sid };
}

/** The session stays dead. */
async function isGone(t: Context, sid: string): Promise<void> {
  const found = await t.get(sid);
  assert.ok(found === null, `the session is there again: ${show(found)}`);
}

const logout: Routes[string] = async (req) => {
  const { error } = await answerOf('destroy', (callback) => req.session.destroy(callback));
  assert.ok(!error, `destroy answered with an error: ${show(error)}`);
};

const change = (session: LiveSession) => {
  session['late'] = true;
};

export const race = group('RACE', [
  {
    id: 'RACE-001',
    level: 'SHOULD',
    title: 'A save of a loaded session does not bring it back after it was destroyed',
    source: source.race,
    why: 'The user has logged out, and a request that was still running logs him in again.',
    run: async (t) => {
      const sid = t.sid();
      await t.set(sid, t.session({ user: 'ada' }));
      const { session } = await t.load(sid);
      await t.destroy(sid);
      change(session);
      await save(session);
      await isGone(t, sid);
    },
  },
  {
    id: 'RACE-002',
    level: 'MUST',
    title: 'A touch of a loaded session does not bring it back after it was destroyed',
    source: source.touch,
    why: 'The user has logged out, and a request that was still running logs him in again.',
    run: async (t) => {
      t.needs('touch');
      const sid = t.sid();
      await t.set(sid, t.session({ user: 'ada' }));
      const { session } = await t.load(sid);
      await t.destroy(sid);
      session.touch();
      await t.attempt('touch', sid, session);
      await isGone(t, sid);
    },
  },
  {
    id: 'RACE-003',
    level: 'MUST',
    title: 'reload() of a session that was destroyed is an error',
    source: source.reload,
    why: 'Long-lived requests reload to notice that the user has logged out.',
    run: async (t) => {
      const sid = t.sid();
      await t.set(sid, t.session({ user: 'ada' }));
      const { session } = await t.load(sid);
      await t.destroy(sid);
      const { error } = await answerOf('reload', (callback) => session.reload(callback));
      assert.ok(error, 'reload answered without an error');
    },
  },
  {
    id: 'RACE-004',
    level: 'SHOULD',
    title: 'A save after a reload does not bring the session back when it was destroyed in between',
    source: source.race,
    why: 'Reloading makes a new session object; a store that watches the old one forgets that it was loaded.',
    run: async (t) => {
      const sid = t.sid();
      await t.set(sid, t.session({ user: 'ada' }));
      const req = await t.load(sid);
      const { error } = await answerOf('reload', (callback) => req.session.reload(callback));
      assert.ok(!error, `reload answered with an error: ${show(error)}`);
      await t.destroy(sid);
      change(req.session);
      await save(req.session);
      await isGone(t, sid);
    },
  },
  {
    id: 'RACE-005',
    level: 'SHOULD',
    title: 'A save over one connection does not bring back what was destroyed over another',
    source: source.race,
    why: 'The requests of one user go to several processes.',
    run: async (t) => {
      const other = await t.other();
      const sid = t.sid();
      await t.set(sid, t.session({ user: 'ada' }));
      const { session } = await t.load(sid);
      await other.destroy(sid);
      change(session);
      await save(session);
      await isGone(t, sid);
    },
  },
  {
    id: 'RACE-006',
    level: 'SHOULD',
    title: 'A slow request that changes the session does not undo a log-out',
    source: source.race,
    why: 'The user believes to be logged out, and leaves.',
    run: async (t) => {
      const { app, fast, sid } = await overtake(t, { late: change, meanwhile: logout });
      await isGone(t, sid);
      assert.equal(await fast.go('who'), null);
      assert.deepEqual(app.errors.map(show), []);
    },
  },
  {
    id: 'RACE-007',
    level: 'SHOULD',
    title: 'A slow request that only reads the session does not undo a log-out',
    source: source.callsTouch,
    why: 'The user believes to be logged out, and leaves.',
    run: async (t) => {
      const { app, sid } = await overtake(t, { meanwhile: logout });
      await isGone(t, sid);
      assert.deepEqual(app.errors.map(show), []);
    },
  },
  {
    id: 'RACE-008',
    level: 'SHOULD',
    title: 'With resave: true, a slow request that only reads the session does not undo a log-out',
    source: source.resave,
    why: 'Any page that is still loading undoes the log-out.',
    run: async (t) => {
      const { app, sid } = await overtake(t, { options: { resave: true }, meanwhile: logout });
      await isGone(t, sid);
      assert.deepEqual(app.errors.map(show), []);
    },
  },
  {
    id: 'RACE-009',
    level: 'SHOULD',
    title: 'After regenerate(), a slow request does not bring the old id back',
    source: source.regenerate,
    why: 'The id that an attacker may know is valid again, with the data of the user.',
    run: async (t) => {
      const { app, fast, sid } = await overtake(t, {
        late: change,
        meanwhile: async (req) => {
          const { error } = await answerOf('regenerate', (callback) => req.session.regenerate(callback));
          assert.ok(!error, `regenerate answered with an error: ${show(error)}`);
          req.session['user'] = 'grace';
        },
      });
      await isGone(t, sid);
      assert.equal(await fast.go('who'), 'grace');
      assert.deepEqual(app.errors.map(show), []);
    },
  },
  {
    id: 'RACE-010',
    level: 'MUST',
    title: 'A new session that is saved twice in its first request is stored as it was the second time',
    source: source.save,
    why: 'Applications save before a redirect, and the middleware saves again what was changed after that.',
    run: async (t) => {
      const app = await t.app(
        {},
        {
          twice: async (req) => {
            req.session['first'] = 1;
            const { error } = await save(req.session);
            assert.ok(!error, `save answered with an error: ${show(error)}`);
            req.session['second'] = 2;
          },
          both: ({ session }) => [session['first'], session['second']],
        },
      );
      const browser = app.browser();
      await browser.go('twice');
      assert.deepEqual(await browser.go('both'), [1, 2]);
      assert.deepEqual(app.errors.map(show), []);
    },
  },
  {
    id: 'RACE-011',
    level: 'SHOULD',
    title: 'A new session that was saved and then destroyed is not brought back by its first request',
    source: source.race,
    why: 'Logging out everywhere right after a login does not reach the request that logs in.',
    run: async (t) => {
      let sid = '';
      const app = await t.app(
        {},
        {
          first: async (req) => {
            sid = req.sessionID;
            req.session['user'] = 'ada';
            await save(req.session);
            await t.destroy(sid);
            change(req.session);
          },
        },
      );
      await app.browser().go('first');
      await isGone(t, sid);
    },
  },
  {
    id: 'RACE-012',
    level: 'SHOULD',
    title: 'Calls on one id that are not waited for take effect in the order in which they were made',
    source: source.set,
    why: 'What was stored first would win over what was stored last.',
    run: async (t) => {
      const sid = t.sid();
      const rounds = Array.from({ length: 50 }, (_, n) => n);
      await Promise.all(rounds.map((n) => t.set(sid, t.session({ n, size: 'x'.repeat((n % 5) * 5_000) }))));
      assert.equal((await t.get(sid))?.['n'], 49, 'the last of fifty');
      const [, , , found] = await Promise.all([
        t.set(sid, t.session({ n: 'a' })),
        t.destroy(sid),
        t.set(sid, t.session({ n: 'b' })),
        t.get(sid),
      ]);
      holds(found, { n: 'b' }, 'set, destroy, set, get');
      await Promise.all([t.set(sid, t.session({ n: 'c' })), t.destroy(sid)]);
      assert.equal(await t.get(sid), null, 'set, destroy');
    },
  },
  {
    id: 'RACE-013',
    level: 'SHOULD',
    title: 'set stores what the object held when it was called',
    source: source.save,
    why: 'The request goes on while the save is under way; half of its next change would be stored.',
    run: async (t) => {
      const sid = t.sid();
      const session = t.session({ cart: { apples: 1 } });
      const stored = t.set(sid, session);
      Object.assign(session['cart'] ?? {}, { apples: 99 });
      await stored;
      holds(await t.get(sid), { cart: { apples: 1 } });
    },
  },
  {
    id: 'RACE-014',
    level: 'MUST',
    title: 'Fifty requests at once on one session all answer, and it is there afterwards',
    source: source.race,
    why: 'A page with many pictures and calls makes them; an error or a lost session is a broken page.',
    run: async (t) => {
      const app = await t.app(
        { resave: false },
        {
          login: ({ session }) => Object.assign(session, { user: 'ada' }),
          read: ({ session }) => session['user'],
          write: ({ session }) => {
            session['n'] = Number(session['n'] ?? 0) + 1;
            return session['user'];
          },
        },
      );
      const browser = app.browser();
      await browser.go('login');
      const requests = Array.from({ length: 50 }, (_, n) =>
        app.browser(browser.cookie).go(n % 2 ? 'read' : 'write'),
      );
      const users = await Promise.all(requests);
      assert.deepEqual([...new Set(users)], ['ada'], 'a request did not find the session');
      assert.equal(await browser.go('read'), 'ada');
      assert.deepEqual(app.errors.map(show), []);
    },
  },
]);
