import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { holds } from '../context.js';
import { group } from '../requirement.js';
import { source } from '../sources.js';

export const contract = group('CONTRACT', [
  {
    id: 'CONTRACT-001',
    level: 'MUST',
    title: 'The store is an EventEmitter',
    source: source.emitter,
    why: 'The middleware listens for connect and disconnect while it is being set up, and throws without `on`.',
    run: async ({ store }) => {
      assert.ok(store instanceof EventEmitter, 'the store does not extend EventEmitter');
    },
  },
  {
    id: 'CONTRACT-002',
    level: 'MUST',
    title: 'The store has get, set and destroy',
    source: source.required,
    why: 'The middleware calls them without asking whether they are there.',
    run: async ({ store }) => {
      for (const method of ['get', 'set', 'destroy'] as const) {
        assert.equal(typeof store[method], 'function', `the store has no ${method}`);
      }
    },
  },
  {
    id: 'CONTRACT-003',
    level: 'SHOULD',
    title: 'The store has touch',
    source: source.recommended,
    why: 'Without it and with resave: false, a session that is only read ends in the middle of its use.',
    run: async ({ store }) => {
      assert.equal(typeof store.touch, 'function', 'the store has no touch');
    },
  },
  {
    id: 'CONTRACT-004',
    level: 'MUST',
    title: 'The store has createSession and regenerate, as its base class gives them',
    source: source.base,
    why: 'The middleware calls them to make req.session of what get answered, and to rotate ids.',
    run: async ({ store }) => {
      for (const method of ['createSession', 'regenerate'] as const) {
        assert.equal(typeof store[method], 'function', `the store has no ${method}`);
      }
    },
  },
  {
    id: 'CONTRACT-005',
    level: 'MUST',
    title: 'get answers with null or undefined, and no error but ENOENT, for an id that was never stored',
    source: source.absent,
    why: 'Any other error fails the request of every visitor whose session has ended.',
    run: async (t) => {
      assert.equal(await t.get(t.sid()), null);
    },
  },
  {
    id: 'CONTRACT-006',
    level: 'MUST',
    title: 'get answers with what set stored, as soon as set has answered',
    source: source.setAnswer,
    why: 'A redirect after a login arrives before anything that is stored later.',
    run: async (t) => {
      const sid = t.sid();
      await t.set(sid, t.session({ user: 'ada', visits: 3 }));
      holds(await t.get(sid), { user: 'ada', visits: 3 });
    },
  },
  {
    id: 'CONTRACT-007',
    level: 'MUST',
    title: 'set replaces what was stored as a whole',
    source: source.save,
    why: 'A key that the application deleted, such as the user on a soft logout, would come back.',
    run: async (t) => {
      const sid = t.sid();
      await t.set(sid, t.session({ user: 'ada', cart: { apples: 1 } }));
      await t.set(sid, t.session({ cart: { pears: 2 } }));
      holds(await t.get(sid), { cart: { pears: 2 }, user: undefined });
    },
  },
  {
    id: 'CONTRACT-008',
    level: 'MUST',
    title: 'get does not answer with a session that was destroyed',
    source: source.destroy,
    why: 'The user stays logged in after logging out.',
    run: async (t) => {
      const sid = t.sid();
      await t.set(sid, t.session());
      await t.destroy(sid);
      assert.equal(await t.get(sid), null);
    },
  },
  {
    id: 'CONTRACT-009',
    level: 'MUST',
    title: 'destroy leaves every other session alone',
    source: source.destroy,
    why: 'One logout logs others out.',
    run: async (t) => {
      const [gone, kept] = [t.sid(), t.sid()];
      await t.set(gone, t.session());
      await t.set(kept, t.session({ user: 'ada' }));
      await t.destroy(gone);
      holds(await t.get(kept), { user: 'ada' });
    },
  },
  {
    id: 'CONTRACT-010',
    level: 'MUST',
    title: 'destroy of an unknown id is no error',
    source: source.destroyAnswer,
    why: 'regenerate destroys the id of the request, which for a new visitor was never stored; a login would fail.',
    run: async (t) => {
      await t.destroy(t.sid());
      const sid = t.sid();
      await t.set(sid, t.session());
      await t.destroy(sid);
      await t.destroy(sid);
    },
  },
  {
    id: 'CONTRACT-011',
    level: 'MUST',
    title: 'set outside a request stores a session under an id that was destroyed',
    source: source.set,
    why: 'set is an upsert; scripts and imports that write sessions by id rely on it.',
    run: async (t) => {
      const sid = t.sid();
      await t.set(sid, t.session({ user: 'ada' }));
      await t.destroy(sid);
      await t.set(sid, t.session({ user: 'grace' }));
      holds(await t.get(sid), { user: 'grace' });
    },
  },
  {
    id: 'CONTRACT-012',
    level: 'MUST',
    title: 'touch leaves the session readable and answers without an error',
    source: source.touchAnswer,
    why: 'It is called at the end of every request that did not change the session.',
    run: async (t) => {
      t.needs('touch');
      const sid = t.sid();
      await t.set(sid, t.session({ user: 'ada' }));
      await t.touch(sid, t.session({ user: 'ada' }));
      holds(await t.get(sid), { user: 'ada' });
    },
  },
  {
    id: 'CONTRACT-013',
    level: 'MUST',
    title: 'all answers with every session once',
    source: source.all,
    why: 'A list of who is logged in that misses or repeats people misleads whoever reads it.',
    run: async (t) => {
      t.needs('all');
      assert.deepEqual(await t.all(), [], 'an empty store has sessions');
      const marks = Array.from({ length: 250 }, (_, mark) => mark);
      await Promise.all(marks.map((mark) => t.set(t.sid(), t.session({ mark }))));
      const seen = (await t.all()).map(({ mark }) => Number(mark)).sort((a, b) => a - b);
      assert.deepEqual(seen, marks);
    },
  },
  {
    id: 'CONTRACT-014',
    level: 'SHOULD',
    title: 'all answers with an array',
    source: source.all,
    why: 'Code that works with one store iterates over the answer, and breaks on another.',
    run: async (t) => {
      t.needs('all');
      await t.set(t.sid(), t.session());
      const { error, value } = await t.attempt('all');
      assert.ok(
        !error && Array.isArray(value),
        `expected an array, got ${Object.prototype.toString.call(value)}`,
      );
    },
  },
  {
    id: 'CONTRACT-015',
    level: 'MAY',
    title: 'all tells the id of each session, as `id` or as its key',
    source: source.all,
    why: 'Without ids, nobody can end one of the sessions that were listed.',
    run: async (t) => {
      t.needs('all');
      const sid = t.sid();
      await t.set(sid, t.session());
      const { value } = await t.attempt('all');
      const ids = Array.isArray(value) ? value.map((entry) => entry?.id) : Object.keys(value ?? {});
      assert.deepEqual(ids, [sid]);
    },
  },
  {
    id: 'CONTRACT-016',
    level: 'MUST',
    title: 'length answers with the number of sessions',
    source: source.length,
    why: 'It is what a dashboard shows and an alarm watches.',
    run: async (t) => {
      t.needs('length');
      assert.equal(await t.length(), 0, 'an empty store');
      const [first, second] = [t.sid(), t.sid()];
      await t.set(first, t.session());
      await t.set(second, t.session());
      await t.set(second, t.session());
      assert.equal(await t.length(), 2, 'two sessions, one of them stored twice');
      await t.destroy(first);
      assert.equal(await t.length(), 1, 'after one of two was destroyed');
    },
  },
  {
    id: 'CONTRACT-017',
    level: 'MUST',
    title: 'clear deletes all sessions, and the store goes on working',
    source: source.clear,
    why: 'It is how everybody is logged out after a leak; whoever is left is an intruder.',
    alone: true,
    run: async (t) => {
      t.needs('clear');
      await t.clear();
      const sids = Array.from({ length: 250 }, () => t.sid());
      await Promise.all(sids.map((sid) => t.set(sid, t.session())));
      await t.clear();
      const left = await Promise.all(sids.map((sid) => t.get(sid)));
      assert.equal(left.filter((found) => found !== null).length, 0, 'sessions are left after clear');
      const sid = t.sid();
      await t.set(sid, t.session({ user: 'ada' }));
      holds(await t.get(sid), { user: 'ada' });
    },
  },
]);
