import assert from 'node:assert/strict';
import type { Routes } from '../app.js';
import { answerOf, type LiveRequest, show } from '../calls.js';
import { type Context, HOUR } from '../context.js';
import { gate } from '../gate.js';
import { group, Inconclusive } from '../requirement.js';
import { source } from '../sources.js';

const DAY = 24 * HOUR;

/** Calls a method of `req.session` that takes a callback; an error fails the request. */
async function done(what: string, call: (callback: (error?: unknown) => void) => unknown): Promise<void> {
  const { error } = await answerOf(what, call);
  if (error) throw error;
}

const routes = {
  login: (req) => {
    req.session['user'] = 'ada';
    return req.sessionID;
  },
  who: (req) => req.session['user'],
  logout: (req) => done('destroy', (callback) => req.session.destroy(callback)),
} satisfies Routes;

/** A browser that is logged in as ada; the id of its session, which was stored later than `since`. */
async function login(t: Context, options: Parameters<Context['app']>[0], more: Routes = {}) {
  const app = await t.app(options, { ...routes, ...more });
  const browser = app.browser();
  const since = Date.now();
  const sid = String(await browser.go('login'));
  return { app, browser, sid, since };
}

const unset = (req: LiveRequest) => {
  Reflect.deleteProperty(req, 'session');
};

export const http = group('HTTP', [
  {
    id: 'HTTP-001',
    level: 'MUST',
    title: 'What one request stores, the next one finds',
    source: source.autosave,
    why: 'It is what sessions are for.',
    run: async (t) => {
      const count: Routes = {
        count: ({ session }) => {
          session['n'] = Number(session['n'] ?? 0) + 1;
          return session['n'];
        },
      };
      for (const resave of [false, true]) {
        for (const saveUninitialized of [false, true]) {
          const app = await t.app({ resave, saveUninitialized }, count);
          const browser = app.browser();
          const seen = [await browser.go('count'), await browser.go('count'), await browser.go('count')];
          assert.deepEqual(
            seen,
            [1, 2, 3],
            `with resave: ${resave}, saveUninitialized: ${saveUninitialized}`,
          );
          assert.deepEqual(app.errors.map(show), []);
        }
      }
    },
  },
  {
    id: 'HTTP-002',
    level: 'MUST',
    title: 'With saveUninitialized: true an untouched session is stored; with false it is not',
    source: source.saveUninitialized,
    why: 'Every robot that passes by leaves a session, or the id in the cookie changes on every request.',
    run: async (t) => {
      for (const saveUninitialized of [true, false]) {
        const app = await t.app({ saveUninitialized }, { id: (req) => req.sessionID });
        const sid = String(await app.browser().go('id'));
        assert.equal(
          (await t.get(sid)) !== null,
          saveUninitialized,
          `stored, with saveUninitialized: ${saveUninitialized}`,
        );
      }
    },
  },
  {
    id: 'HTTP-003',
    level: 'MUST',
    title: 'save() has stored the session when it calls back',
    source: source.save,
    why: 'Applications save before they redirect, because the next request may be faster than the end of this one.',
    run: async (t) => {
      let seen: unknown;
      const { app } = await login(
        t,
        {},
        {
          save: async (req) => {
            req.session['step'] = 2;
            await done('save', (callback) => req.session.save(callback));
            seen = (await t.get(req.sessionID))?.['step'];
          },
          step: (req) => req.session['step'],
        },
      );
      const browser = app.browser();
      await browser.go('save');
      assert.equal(seen, 2, 'seen inside the request');
      assert.equal(await browser.go('step'), 2, 'seen by the next request');
      assert.deepEqual(app.errors.map(show), []);
    },
  },
  {
    id: 'HTTP-004',
    level: 'MUST',
    title: 'reload() brings what another request stored meanwhile',
    source: source.reload,
    why: 'Long-lived requests and web sockets reload to see that the user has logged out or changed roles.',
    run: async (t) => {
      const { browser } = await login(
        t,
        {},
        {
          reload: async (req) => {
            await t.set(req.sessionID, t.session({ user: 'grace' }));
            await done('reload', (callback) => req.session.reload(callback));
            return req.session['user'];
          },
        },
      );
      assert.equal(await browser.go('reload'), 'grace', 'inside the request');
      assert.equal(await browser.go('who'), 'grace', 'in the next request');
    },
  },
  {
    id: 'HTTP-005',
    level: 'MUST',
    title: 'regenerate() gives a new id and ends the old session',
    source: source.regenerate,
    why: 'It is the protection against session fixation.',
    run: async (t) => {
      const { app, browser, sid } = await login(
        t,
        {},
        {
          rotate: async (req) => {
            await done('regenerate', (callback) => req.session.regenerate(callback));
            req.session['user'] = 'grace';
            return req.sessionID;
          },
        },
      );
      const old = app.browser(browser.cookie);
      assert.notEqual(await browser.go('rotate'), sid, 'the id stayed the same');
      assert.equal(await browser.go('who'), 'grace', 'the new session');
      assert.equal(await old.go('who'), null, 'the old session');
      assert.deepEqual(app.errors.map(show), []);
    },
  },
  {
    id: 'HTTP-006',
    level: 'MUST',
    title: 'destroy() ends the session, with and without a callback',
    source: source.logout,
    why: 'It is how users log out.',
    run: async (t) => {
      const bare: Routes = { bare: (req) => void req.session.destroy() };
      for (const way of ['logout', 'bare']) {
        const { app, browser, sid } = await login(t, {}, bare);
        await browser.go(way);
        await t.until(`the session is gone after ${way}`, 1_000, async () => (await t.get(sid)) === null);
        assert.equal(await browser.go('who'), null);
        assert.deepEqual(app.errors.map(show), []);
      }
    },
  },
  {
    id: 'HTTP-007',
    level: 'MUST',
    title: "With unset: 'destroy', a session that is removed from the request is destroyed",
    source: source.unset,
    why: 'It is how some applications log out.',
    run: async (t) => {
      const { browser, sid } = await login(t, { unset: 'destroy' }, { unset });
      await browser.go('unset');
      assert.equal(await t.get(sid), null);
    },
  },
  {
    id: 'HTTP-008',
    level: 'MUST',
    title: "With unset: 'keep', a session that is removed from the request is kept",
    source: source.unsetKeep,
    why: 'It is the default, and how requests do without a session.',
    run: async (t) => {
      const { browser } = await login(t, { unset: 'keep' }, { unset });
      await browser.go('unset');
      assert.equal(await browser.go('who'), 'ada');
    },
  },
  ...[
    { id: 'HTTP-009', resave: false },
    { id: 'HTTP-010', resave: true },
  ].map(({ id, resave }) => ({
    id,
    level: 'MUST' as const,
    title: `With resave: ${resave}, reading a session keeps it alive`,
    source: resave ? source.resave : source.callsTouch,
    why: 'Users who only read are logged out while they use the site.',
    run: async (t: Context) => {
      if (!resave) t.needs('touch');
      const options = { resave, cookie: { maxAge: t.short }, rolling: true };
      const { app, browser, since } = await login(t, options);
      // A store may save itself touches within a part of the lifetime.
      const kept = t.short / 2;
      let last = since;
      for (let now = last; now < since + 2 * t.short; now = Date.now()) {
        const user = await t.before(last + kept, () => browser.go('who'));
        assert.equal(user, 'ada', 'the session ended');
        last = now;
      }
      assert.deepEqual(app.errors.map(show), []);
    },
  })),
  {
    id: 'HTTP-011',
    level: 'MUST',
    title: 'With rolling, every answer renews the cookie',
    source: source.rolling,
    why: 'The browser forgets the cookie while the session lives on.',
    run: async (t) => {
      const { browser } = await login(t, { rolling: true, cookie: { maxAge: HOUR } });
      const asked = Date.now();
      await browser.go('who');
      const expires = /Expires=([^;]+)/.exec(browser.lastSetCookie ?? '')?.[1];
      assert.ok(expires, `no Expires in ${show(browser.lastSetCookie)}`);
      const left = Date.parse(expires) - asked;
      assert.ok(Math.abs(left - HOUR) < 10_000, `the cookie ends in ${left} ms instead of ${HOUR}`);
    },
  },
  {
    id: 'HTTP-012',
    level: 'SHOULD',
    title: 'A change of cookie.maxAge alone is kept',
    source: source.maxAge,
    why: 'The middleware sends it as touch; a store that only moves the deadline forgets "remember me" on the next request.',
    run: async (t) => {
      const { browser, sid } = await login(
        t,
        { cookie: { maxAge: HOUR } },
        { remember: ({ session }) => Object.assign(session.cookie, { maxAge: DAY }) },
      );
      await browser.go('remember');
      const { cookie } = (await t.load(sid)).session;
      assert.ok(
        Math.abs(Number(cookie.originalMaxAge) - DAY) < 100,
        `originalMaxAge is ${cookie.originalMaxAge}`,
      );
      assert.ok(Math.abs(Number(cookie.maxAge) - DAY) < 10_000 + t.grainMs, `maxAge is ${cookie.maxAge}`);
    },
  },
  {
    id: 'HTTP-013',
    level: 'SHOULD',
    title: 'A session that ends during a request is no error',
    source: source.onError,
    why: 'A slow page fails for the user who stayed on it too long, or the error arrives after the answer.',
    run: async (t) => {
      const outlast = async ({ session }: LiveRequest) => {
        missed ||= session['user'] !== 'ada';
        await t.past(Date.now() + t.short);
      };
      let missed = false;
      const { app, browser } = await login(
        t,
        { cookie: { maxAge: t.short } },
        {
          slow: async (req) => {
            await outlast(req);
            req.session['late'] = true;
          },
          read: outlast,
        },
      );
      await browser.go('slow');
      await browser.go('login');
      await browser.go('read');
      await browser.go('who');
      assert.deepEqual(app.errors.map(show), []);
      if (missed) throw new Inconclusive('the session ended before a request began');
    },
  },
  {
    id: 'HTTP-014',
    level: 'SHOULD',
    title: 'A slow request that saves does not end a session that others kept alive',
    source: source.save,
    why: 'The cookie it loaded has ended meanwhile; stored as it is, it logs out a user who is working.',
    run: async (t) => {
      const [loaded, proceed] = [gate(), gate()];
      let end = 0;
      const { app, browser, since } = await login(
        t,
        { cookie: { maxAge: t.short } },
        {
          slow: async (req) => {
            loaded.open();
            await proceed.opened;
            end = Date.now() + t.short;
            req.session['late'] = true;
            await done('save', (callback) => req.session.save(callback));
          },
          remember: (req) => {
            req.session['remembered'] = true;
            req.session.cookie.maxAge = HOUR;
          },
        },
      );
      const slow = app.browser(browser.cookie).go('slow');
      await Promise.race([loaded.opened, slow]);
      await t.before(since + t.short, () => browser.go('remember'));
      await t.past(Date.now() + t.short);
      proceed.open();
      await slow;
      assert.equal(await t.before(end, () => browser.go('who')), 'ada');
    },
  },
  {
    id: 'HTTP-015',
    level: 'MUST',
    title: 'An id that the store does not know starts a new session',
    source: source.absent,
    why: 'A cookie from another time or another application locks the user out.',
    run: async (t) => {
      const { app, browser, sid } = await login(t, {});
      await t.destroy(sid);
      assert.equal(await browser.go('who'), null);
      assert.notEqual(await browser.go('login'), sid, 'the old id is used again');
      assert.equal(await browser.go('who'), 'ada');
      assert.deepEqual(app.errors.map(show), []);
    },
  },
]);
