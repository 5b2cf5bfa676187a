import assert from 'node:assert/strict';
import { type SessionData, show } from '../calls.js';
import { type Context, endOf, HOUR } from '../context.js';
import { group, Inconclusive, Unsupported } from '../requirement.js';
import { source } from '../sources.js';

const DAY = 24 * HOUR;

/** The same session with a cookie that is only data, as it is after a trip through JSON or in a script. */
const plain = (session: SessionData, expires: Date | string): SessionData => ({
  ...session,
  cookie: { originalMaxAge: session.cookie.originalMaxAge, expires, httpOnly: true, path: '/' },
});

/** Asserts a lifetime that the server tells; it may be off by the grain and by the time that passed since `asked`. */
async function hasLeft(t: Context, sid: string, lifetime: number, asked: number): Promise<void> {
  const left = await t.deadline(sid);
  const passed = Date.now() - asked;
  assert.ok(
    left !== undefined && left >= lifetime - passed - t.grainMs && left <= lifetime + t.grainMs,
    `expected ${lifetime} ms, of which ${passed} passed, give or take ${t.grainMs}; the server says ${left}`,
  );
}

/** Sessions with such lifetimes are there when some time has passed, also when they were given them by touch. */
async function livesOn(t: Context, lifetimes: readonly number[]): Promise<void> {
  const sids = await Promise.all(
    lifetimes.map(async (lifetime) => {
      const [set, touched] = [await t.stored({ lifetime }, lifetime), await t.stored({ lifetime })];
      if (t.store.touch) await t.touch(touched, t.session({ lifetime }, lifetime));
      return [set, touched];
    }),
  );
  // An overflow may take a timer's turn to show.
  await t.past(Date.now());
  for (const sid of sids.flat()) {
    const { session } = await t.load(sid);
    assert.ok(
      endOf(session) > Date.now() + HOUR / 2,
      `its cookie now ends at ${show(session.cookie.expires)}`,
    );
  }
}

export const ttl = group('TTL', [
  {
    id: 'TTL-001',
    level: 'MUST',
    title: 'A session is found until its cookie ends',
    source: source.expires,
    why: 'Users are logged out while the cookie in their browser says otherwise.',
    run: async (t) => {
      const sid = t.sid();
      const session = t.session({}, t.short);
      await t.set(sid, session);
      const end = endOf(session) - t.grainMs;
      let lastSeen = end - t.short;
      while (Date.now() < end) {
        const asked = Date.now();
        const found = await t.get(sid);
        const early = end - Date.now();
        assert.ok(found || early <= 0, `the session ended more than ${early} ms early`);
        if (found) lastSeen = asked;
      }
      const missed = end - lastSeen;
      if (missed > t.short / 5) throw new Inconclusive(`nobody could look in the last ${missed} ms`);
    },
  },
  {
    id: 'TTL-002',
    level: 'MUST',
    title: 'A session is not found once its cookie has ended',
    source: source.expires,
    why: 'A stolen id works for ever.',
    run: async (t) => {
      const sid = t.sid();
      const session = t.session({}, t.short);
      await t.set(sid, session);
      await t.endsAt(sid, endOf(session));
    },
  },
  {
    id: 'TTL-003',
    level: 'SHOULD',
    title: 'The end of a plain cookie, `expires` as a Date, is kept',
    source: source.maxAge,
    why: 'Sessions that a script stores live for ever, or end at once.',
    run: async (t) => {
      const [short, long] = [t.sid(), t.sid()];
      await t.set(long, plain(t.session(), new Date(Date.now() + HOUR)));
      const end = Date.now() + t.short;
      await t.set(short, plain(t.session({}, t.short), new Date(end)));
      await t.endsAt(short, end);
      assert.ok(await t.get(long), 'a session of one hour is gone');
    },
  },
  {
    id: 'TTL-004',
    level: 'SHOULD',
    title: 'The end of a plain cookie, `expires` as ISO text, is kept',
    source: source.maxAge,
    why: 'It is what get answers with in most stores: reading a session and storing it again would change its end.',
    run: async (t) => {
      const [short, long] = [t.sid(), t.sid()];
      await t.set(long, plain(t.session(), new Date(Date.now() + HOUR).toISOString()));
      const end = Date.now() + t.short;
      await t.set(short, plain(t.session({}, t.short), new Date(end).toISOString()));
      await t.endsAt(short, end);
      assert.ok(await t.get(long), 'a session of one hour is gone');
    },
  },
  {
    id: 'TTL-005',
    level: 'MUST',
    title: 'A session that is stored when its cookie has already ended is not found',
    source: source.expires,
    why: 'Zero or negative lifetimes are how applications end sessions; taken for "no limit" they do the opposite.',
    run: async (t) => {
      // Several times: what is left of a lifetime of 0 is 0 only within that very millisecond.
      for (const maxAge of [0, 0, 0, 0, 0, -1, -HOUR]) {
        const sid = t.sid();
        const session = t.session({}, maxAge);
        await t.set(sid, session);
        await t.untilGone(sid, endOf(session));
      }
    },
  },
  {
    id: 'TTL-006',
    level: 'MUST',
    title: 'Storing a cookie that has ended over a live session ends it',
    source: source.set,
    why: 'The old session would go on, with the data the application meant to end.',
    run: async (t) => {
      const sid = t.sid();
      await t.set(sid, t.session({ user: 'ada' }));
      const session = t.session({}, -HOUR);
      await t.set(sid, session);
      await t.untilGone(sid, endOf(session));
    },
  },
  {
    id: 'TTL-007',
    level: 'MUST',
    title: 'A cookie that ends in the year 9999 keeps its session',
    source: source.expires,
    why: '"Remember me for ever" overflows a counter somewhere, and the session is lost or refused.',
    run: async (t) => {
      const sid = t.sid();
      await t.set(sid, t.session({ user: 'ada' }, Date.UTC(9999, 11, 31) - Date.now()));
      assert.equal((await t.get(sid))?.['user'], 'ada', 'the session is gone');
    },
  },
  {
    id: 'TTL-008',
    level: 'MUST',
    title: 'A session whose cookie has no end is stored and found',
    source: source.noExpires,
    why: "It is express-session's default: nobody could log in.",
    run: async (t) => {
      const sid = t.sid();
      await t.set(sid, t.session({ user: 'ada' }, null));
      const found = await t.get(sid);
      assert.equal(found?.['user'], 'ada', 'the session is gone');
      assert.ok(!found.cookie.expires, `its cookie now has an end: ${show(found.cookie.expires)}`);
    },
  },
  {
    id: 'TTL-009',
    level: 'SHOULD',
    title: 'A session whose cookie has no end is kept for the lifetime that the store is set to',
    source: source.noExpires,
    why: 'Without one the server fills up; with another the operator cannot tell how long a login lasts.',
    run: async (t) => {
      const { fallbackMs } = t.subject;
      if (fallbackMs === undefined)
        throw new Unsupported(
          'the harness does not say how long the store keeps what has no end (`fallbackMs`)',
        );
      const sid = t.sid();
      const asked = Date.now();
      await t.set(sid, t.session({}, null));
      await hasLeft(t, sid, fallbackMs, asked);
    },
  },
  {
    id: 'TTL-010',
    level: 'MUST',
    title: 'Storing a session again with a later end prolongs it',
    source: source.set,
    why: 'A session that is saved on every request would still end at the first deadline.',
    run: async (t) => {
      const sid = t.sid();
      const session = t.session({}, t.short);
      await t.set(sid, session);
      await t.before(endOf(session), () => t.set(sid, t.session()));
      await t.past(endOf(session));
      assert.ok(await t.get(sid), 'it ended with its first lifetime');
    },
  },
  {
    id: 'TTL-011',
    level: 'MUST',
    title: 'Storing a session again with an earlier end shortens it',
    source: source.set,
    why: 'Switching "remember me" off leaves the login open for weeks.',
    run: async (t) => {
      const sid = t.sid();
      await t.set(sid, t.session());
      const session = t.session({}, t.short);
      await t.set(sid, session);
      await t.untilGone(sid, endOf(session));
    },
  },
  {
    id: 'TTL-012',
    level: 'MUST',
    title: 'Storing a session again without an end lifts the end it had',
    source: source.noExpires,
    why: 'The session would end in the middle of its use.',
    run: async (t) => {
      const sid = t.sid();
      const session = t.session({}, t.short);
      await t.set(sid, session);
      await t.before(endOf(session), () => t.set(sid, t.session({}, null)));
      await t.past(endOf(session));
      assert.ok(await t.get(sid), 'it ended with its first lifetime');
    },
  },
  {
    id: 'TTL-013',
    level: 'MUST',
    title: 'touch prolongs a session',
    source: source.idle,
    why: 'A user who only reads is logged out while using the site.',
    run: async (t) => {
      t.needs('touch');
      const sid = t.sid();
      const session = t.session({}, t.short);
      await t.set(sid, session);
      await t.before(endOf(session), () => t.touch(sid, t.session()));
      await t.past(endOf(session));
      assert.ok(await t.get(sid), 'it ended with its first lifetime');
    },
  },
  {
    id: 'TTL-014',
    level: 'MUST',
    title: 'A touched session still ends',
    source: source.idle,
    why: 'One page view makes the session immortal.',
    run: async (t) => {
      t.needs('touch');
      const sid = t.sid();
      const session = t.session({}, t.short);
      await t.set(sid, session);
      const touched = t.session({}, t.short);
      await t.before(endOf(session), () => t.touch(sid, touched));
      await t.untilGone(sid, endOf(touched));
    },
  },
  {
    id: 'TTL-015',
    level: 'MUST',
    title: 'touch does not overwrite data that was stored meanwhile',
    source: source.touch,
    why: 'A page that only reads undoes what a parallel request stored.',
    run: async (t) => {
      t.needs('touch');
      const sid = t.sid();
      await t.set(sid, t.session({ cart: 'empty' }));
      const { session: stale } = await t.load(sid);
      await t.set(sid, t.session({ cart: 'full' }));
      stale.touch();
      await t.touch(sid, stale);
      assert.equal((await t.get(sid))?.['cart'], 'full');
    },
  },
  {
    id: 'TTL-016',
    level: 'MUST',
    title: 'touch of an unknown id stores nothing',
    source: source.touch,
    why: 'A session that was destroyed during a request comes back at its end.',
    run: async (t) => {
      t.needs('touch');
      const sid = t.sid();
      await t.attempt('touch', sid, t.session({ user: 'ada' }));
      assert.equal(await t.get(sid), null);
    },
  },
  {
    id: 'TTL-017',
    level: 'SHOULD',
    title: 'touch of an unknown id is no error',
    source: source.onError,
    why: 'The session may have ended or been destroyed during the request; the error arrives after the answer was sent.',
    run: async (t) => {
      t.needs('touch');
      await t.touch(t.sid(), t.session());
    },
  },
  {
    id: 'TTL-018',
    level: 'SHOULD',
    title: 'touch does not bring back a session that has ended',
    source: source.idle,
    why: 'An ended login opens again, because the server had not yet removed it.',
    run: async (t) => {
      t.needs('touch');
      const sid = t.sid();
      await t.set(sid, t.session({}, t.short));
      await t.past(Date.now() + t.short);
      await t.attempt('touch', sid, t.session());
      assert.equal(await t.get(sid), null);
    },
  },
  {
    id: 'TTL-019',
    level: 'SHOULD',
    title: 'all leaves out sessions that have ended',
    source: source.all,
    why: 'People who are long gone are shown as logged in.',
    run: async (t) => {
      t.needs('all');
      await t.set(t.sid(), t.session({ mark: 'ended' }, t.short));
      await t.set(t.sid(), t.session({ mark: 'live' }));
      await t.past(Date.now() + t.short);
      assert.deepEqual(
        (await t.all()).map(({ mark }) => mark),
        ['live'],
      );
    },
  },
  {
    id: 'TTL-020',
    level: 'SHOULD',
    title: 'length does not count sessions that have ended',
    source: source.length,
    why: 'The number of users grows although they leave.',
    run: async (t) => {
      t.needs('length');
      await t.set(t.sid(), t.session({}, t.short));
      await t.set(t.sid(), t.session());
      await t.past(Date.now() + t.short);
      assert.equal(await t.length(), 1);
    },
  },
  {
    id: 'TTL-021',
    level: 'SHOULD',
    title: 'After a touch, the cookie of a loaded session tells the time that is really left',
    source: source.maxAge,
    why: 'The application shows a time that is over, and saving what was loaded would end the session.',
    run: async (t) => {
      t.needs('touch');
      const sid = t.sid();
      await t.set(sid, t.session({}, HOUR));
      const touched = t.session({}, DAY);
      await t.touch(sid, touched);
      const { session } = await t.load(sid);
      const off = Math.abs(endOf(session) - endOf(touched));
      assert.ok(off <= t.grainMs + 1_000, `its expires is ${off} ms off`);
    },
  },
  {
    id: 'TTL-022',
    level: 'MUST',
    title: 'originalMaxAge is kept',
    source: source.originalMaxAge,
    why: 'The middleware computes the next end from it at the end of every request.',
    run: async (t) => {
      for (const maxAge of [HOUR, 1_500, null]) {
        const sid = t.sid();
        await t.set(sid, t.session({}, maxAge));
        assert.equal((await t.load(sid)).session.cookie.originalMaxAge, maxAge);
      }
    },
  },
  {
    id: 'TTL-023',
    level: 'MUST',
    title: "After set, the server's own deadline is the cookie's",
    source: source.expires,
    why: 'Seconds taken for milliseconds, or the other way round, show only after hours or years.',
    run: async (t) => {
      for (const lifetime of [10_000, DAY, 400 * DAY]) {
        const sid = t.sid();
        const asked = Date.now();
        await t.set(sid, t.session({}, lifetime));
        await hasLeft(t, sid, lifetime, asked);
      }
    },
  },
  {
    id: 'TTL-024',
    level: 'MUST',
    title: "After touch, the server's own deadline is the cookie's",
    source: source.idle,
    why: 'Seconds taken for milliseconds, or the other way round, show only after hours or years.',
    run: async (t) => {
      t.needs('touch');
      const sid = t.sid();
      await t.set(sid, t.session({}, HOUR));
      const asked = Date.now();
      await t.touch(sid, t.session({}, DAY));
      await hasLeft(t, sid, DAY, asked);
    },
  },
  ...[
    {
      id: 'TTL-025',
      title: 'A maxAge of more milliseconds than 32 bits hold',
      ages: [2 ** 31, 2 ** 32, 2 ** 32 + 1],
      why: 'A timer or a number overflows, and the session ends at once.',
    },
    {
      id: 'TTL-026',
      title: 'A cookie that ends after 2038, or after 2106,',
      ages: [Date.UTC(2039, 0) - Date.now(), Date.UTC(2107, 0) - Date.now()],
      why: 'Seconds since 1970 in 32 bits end there, and with them the session.',
    },
  ].map(({ id, title, ages, why }) => ({
    id,
    level: 'MUST' as const,
    title: `${title} keeps its session, stored and touched`,
    source: source.expires,
    why,
    run: (t: Context) => livesOn(t, ages),
  })),
  {
    id: 'TTL-027',
    level: 'SHOULD',
    title: 'A cookie that ends on the last day a Date can tell keeps its session, stored and touched',
    source: source.expires,
    why: 'Applications write "never" so; a sum or a column overflows, and the session is lost or refused.',
    run: (t) => livesOn(t, [8.64e15 - Date.now() - 60_000]),
  },
]);
