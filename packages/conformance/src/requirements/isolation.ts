import assert from 'node:assert/strict';
import { holds } from '../context.js';
import { group } from '../requirement.js';
import { source } from '../sources.js';

export const isolation = group('ISOLATION', [
  {
    id: 'ISOLATION-001',
    level: 'MUST',
    title: 'Changing what get answered with changes nothing that is stored',
    source: source.save,
    why: 'A request that fails half-way has stored its half; parallel requests see values in the making.',
    run: async (t) => {
      const sid = t.sid();
      await t.set(sid, t.session({ cart: { apples: 1 } }));
      const found = await t.get(sid);
      assert.ok(found, 'the session is not there');
      Object.assign(found, { user: 'mallory' });
      Object.assign(found['cart'] ?? {}, { apples: 99 });
      holds(await t.get(sid), { cart: { apples: 1 }, user: undefined });
    },
  },
  {
    id: 'ISOLATION-002',
    level: 'MUST',
    title: 'Changing what set was given, after it answered, changes nothing that is stored',
    source: source.save,
    why: 'The object is that of the request, which goes on working with it.',
    run: async (t) => {
      const sid = t.sid();
      const given = t.session({ cart: { apples: 1 } });
      await t.set(sid, given);
      Object.assign(given, { user: 'mallory' });
      Object.assign(given['cart'] ?? {}, { apples: 99 });
      holds(await t.get(sid), { cart: { apples: 1 }, user: undefined });
    },
  },
  {
    id: 'ISOLATION-003',
    level: 'MUST',
    title: 'Every get answers with an object of its own',
    source: source.get,
    why: 'The middleware turns it into the session of one request; a shared one belongs to several.',
    run: async (t) => {
      const sid = t.sid();
      await t.set(sid, t.session({ cart: {} }));
      const [one, two] = await Promise.all([t.get(sid), t.get(sid)]);
      assert.ok(one && two, 'the session is not there');
      assert.notEqual(one, two, 'two calls answered with the same object');
      assert.notEqual(one['cart'], two['cart'], 'two calls answered with the same object inside');
      assert.notEqual(one.cookie, two.cookie, 'two calls answered with the same cookie');
    },
  },
  {
    id: 'ISOLATION-004',
    level: 'MUST',
    title: 'Changing what all answered with changes nothing that is stored',
    source: source.all,
    why: 'A report that removes passwords from its list removes them from the sessions.',
    run: async (t) => {
      t.needs('all');
      const sid = t.sid();
      await t.set(sid, t.session({ user: 'ada' }));
      for (const found of await t.all()) Object.assign(found, { user: 'mallory' });
      holds(await t.get(sid), { user: 'ada' });
    },
  },
  {
    id: 'ISOLATION-005',
    level: 'SHOULD',
    title: 'set and touch leave the object they are given as it is',
    source: source.set,
    why: 'It is req.session: what a store adds there is stored, shown and compared as the data of the application.',
    run: async (t) => {
      const sid = t.sid();
      const given = t.session({ user: 'ada', cart: { apples: 1 } });
      const before = JSON.stringify(given);
      await t.set(sid, given);
      if (t.store.touch) await t.touch(sid, given);
      assert.equal(JSON.stringify(given), before);
    },
  },
  {
    id: 'ISOLATION-006',
    level: 'MUST',
    title: 'A store does not see the sessions of another one',
    source: source.get,
    why: 'Two applications on one server would share their logins.',
    run: async (t) => {
      const stranger = await t.stranger();
      const sid = t.sid();
      await t.set(sid, t.session({ user: 'ada' }));
      assert.equal(await stranger.get(sid), null, 'another store finds the session');
      await stranger.set(sid, t.session({ user: 'grace' }));
      holds(await t.get(sid), { user: 'ada' }, 'another store overwrote the session');
      await stranger.destroy(sid);
      holds(await t.get(sid), { user: 'ada' }, 'another store destroyed the session');
    },
  },
  {
    id: 'ISOLATION-007',
    level: 'MUST',
    title: 'all and length leave out the sessions of other stores',
    source: source.all,
    why: 'One application shows and counts the users of another.',
    run: async (t) => {
      t.needs('all', 'length');
      const stranger = await t.stranger();
      await t.set(t.sid(), t.session({ mark: 'own' }));
      await stranger.set(t.sid(), t.session({ mark: 'foreign' }));
      assert.equal((await t.all()).length, 1, 'the sessions of all');
      assert.equal(await t.length(), 1);
    },
  },
  {
    id: 'ISOLATION-008',
    level: 'MUST',
    title: 'clear leaves the sessions of other stores alone',
    source: source.clear,
    why: 'Clearing a test application logs everybody out of the real one.',
    alone: true,
    run: async (t) => {
      t.needs('clear');
      const stranger = await t.stranger();
      const sid = t.sid();
      await stranger.set(sid, t.session({ user: 'ada' }));
      await t.clear();
      holds(await stranger.get(sid), { user: 'ada' });
    },
  },
  {
    id: 'ISOLATION-009',
    level: 'MUST',
    title: 'What one connection has stored, touched or destroyed, another one sees at once',
    source: source.setAnswer,
    why: 'The next request goes to another process: the login is not there, or the log-out is not.',
    run: async (t) => {
      const other = await t.other();
      const sid = t.sid();
      await t.set(sid, t.session({ n: 1 }));
      assert.equal((await other.get(sid))?.['n'], 1, 'what was stored');
      await other.set(sid, t.session({ n: 2 }));
      assert.equal((await t.get(sid))?.['n'], 2, 'what was stored over it');
      await other.destroy(sid);
      assert.equal(await t.get(sid), null, 'what was destroyed');
    },
  },
  {
    id: 'ISOLATION-010',
    level: 'SHOULD',
    title: 'all, length and clear of one connection include what another one stored',
    source: source.all,
    why: 'Clearing sessions after a leak would spare those of the other processes.',
    alone: true,
    run: async (t) => {
      t.needs('all', 'length', 'clear');
      const other = await t.other();
      const sid = t.sid();
      await other.set(sid, t.session({ mark: 1 }));
      assert.deepEqual(
        (await t.all()).map(({ mark }) => mark),
        [1],
      );
      assert.equal(await t.length(), 1);
      await t.clear();
      assert.equal(await other.get(sid), null);
    },
  },
]);
