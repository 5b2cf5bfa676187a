import assert from 'node:assert/strict';
import { answerOf, type LiveSession, type SessionData, show } from '../calls.js';
import { type Context, HOUR, holds, type Where } from '../context.js';
import { group, type Requirement } from '../requirement.js';
import { source } from '../sources.js';
import type { Visit } from '../visits.js';
import { hold, onOneStore, type RequiredMeeting, type Sites } from './meetings.js';

type Change = (visit: Visit) => Promise<unknown>;

const DAY = 24 * HOUR;
const nothing: Change = () => Promise.resolve();

/** Two requests that both begin with this session and change it; what is stored when the later one has ended, too. */
async function overlap(
  t: Context,
  [one, two]: Sites,
  data: Record<string, unknown>,
  earlier: Change,
  later: Change,
): Promise<SessionData | null> {
  const sid = await t.stored(data);
  const [slow, fast] = [await one.visit(sid), await two.visit(sid)];
  await earlier(fast);
  await fast.end();
  await later(slow);
  await slow.end();
  return t.get(sid);
}

/** The same result, whichever of the two ends first. */
async function inBothOrders(
  t: Context,
  sites: Sites,
  data: Record<string, unknown>,
  [a, b]: readonly [Change, Change],
  expected: Readonly<Record<string, unknown>>,
): Promise<void> {
  holds(await overlap(t, sites, data, a, b), expected);
  holds(await overlap(t, sites, data, b, a), expected, 'the other way round');
}

/** A request that raises the lifetime of a short session, overtaking one that began before; and then time passes. */
async function outlives(t: Context, [one, two]: Sites, late: Change): Promise<SessionData | null> {
  const end = Date.now() + t.short;
  const sid = await t.stored({ user: 'ada' }, t.short);
  const slow = await t.before(end, async () => {
    const visit = await one.visit(sid);
    const fast = await two.visit(sid);
    await fast.put(['cookie', 'maxAge'], HOUR);
    await fast.put(['remembered'], true);
    await fast.end();
    return visit;
  });
  await late(slow);
  await slow.end();
  await t.past(Date.now() + t.short);
  return t.get(sid);
}

const maxAgeIs = (found: SessionData | null, maxAge: number, when: string) => {
  const kept = Number(found?.cookie.originalMaxAge);
  assert.ok(Math.abs(kept - maxAge) < 1_000, `${when}: originalMaxAge is ${kept} instead of ${maxAge}`);
};

const overlaps: readonly RequiredMeeting[] = [
  {
    id: 'RACE-024',
    level: 'SHOULD',
    title: 'What two requests store under different keys is all there',
    source: source.race,
    why: 'Two tabs, or a page and its calls in the background, each lose what the other did.',
    run: (t, sites) =>
      inBothOrders(t, sites, { user: 'ada', n: 0 }, [(v) => v.put(['n'], 1), (v) => v.put(['step'], 2)], {
        user: 'ada',
        n: 1,
        step: 2,
      }),
  },
  {
    id: 'RACE-025',
    level: 'SHOULD',
    title: 'What two requests store under different keys of one object is all there, at any depth',
    source: source.race,
    why: 'Applications keep their state in nested objects: carts, forms, preferences.',
    run: (t, sites) =>
      inBothOrders(
        t,
        sites,
        { form: { name: 'ada', address: { city: 'London' } } },
        [
          async (visit) => {
            await visit.put(['form', 'name'], 'grace');
            await visit.put(['form', 'address', 'zip'], 'W1');
            await visit.put(['prefs'], { lang: 'en', view: { rows: 10 } });
          },
          async (visit) => {
            await visit.put(['form', 'age'], 36);
            await visit.put(['form', 'address', 'city'], 'Paris');
            await visit.put(['prefs'], { theme: 'dark', view: { page: 2 } });
          },
        ],
        {
          form: { name: 'grace', age: 36, address: { city: 'Paris', zip: 'W1' } },
          prefs: { lang: 'en', theme: 'dark', view: { rows: 10, page: 2 } },
        },
      ),
  },
  {
    id: 'RACE-026',
    level: 'SHOULD',
    title: 'A key that one request deletes stays deleted when another one changes something else',
    source: source.race,
    why: 'A deleted token, or the user after a soft log-out, is back.',
    run: (t, sites) =>
      inBothOrders(
        t,
        sites,
        { user: 'ada', form: { name: 'ada', card: '4111' } },
        [
          async (visit) => {
            await visit.remove('user');
            await visit.remove('form', 'card');
          },
          async (visit) => {
            await visit.put(['seen'], true);
            await visit.put(['form', 'name'], 'grace');
          },
        ],
        { user: undefined, form: { name: 'grace' }, seen: true },
      ),
  },
  {
    id: 'RACE-027',
    level: 'SHOULD',
    title: 'What two requests append to an array, or remove from it, is all done, in their order',
    source: source.race,
    why: 'An article that was put into the cart is missing, or one that was taken out is bought.',
    run: async (t, sites) => {
      const data = { cart: [{ sku: 'apple' }, { sku: 'pear' }, { sku: 'plum' }] };
      const skus = (...list: string[]) => ({ cart: list.map((sku) => ({ sku })) });
      const add: Change = (visit) => visit.call(['cart'], 'push', { sku: 'fig' });
      const swap: Change = async (visit) => {
        await visit.call(['cart'], 'splice', 1, 1);
        await visit.call(['cart'], 'push', { sku: 'kiwi' });
      };
      holds(await overlap(t, sites, data, add, swap), skus('apple', 'plum', 'fig', 'kiwi'));
      holds(await overlap(t, sites, data, swap, add), skus('apple', 'plum', 'kiwi', 'fig'));
    },
  },
  {
    id: 'RACE-028',
    level: 'SHOULD',
    title:
      'A message that one request has shown and taken out is not there again, and one that another added is',
    source: source.race,
    why: '"Your order is placed" comes twice, or never.',
    run: async (t, sites) => {
      const takes: readonly Change[] = [
        (visit) => visit.put(['flash', 'info'], []),
        (visit) => visit.call(['flash', 'info'], 'shift'),
        // As connect-flash does it.
        (visit) => visit.remove('flash', 'info'),
      ];
      const add: Change = (visit) => visit.call(['flash', 'info'], 'push', 'sent');
      const data = { flash: { info: ['saved'] } };
      for (const take of takes) {
        await inBothOrders(t, sites, data, [take, add], { flash: { info: ['sent'] } });
      }
      const first =
        (message: string): Change =>
        (visit) =>
          visit.put(['flash'], { info: [message] });
      holds(
        await overlap(t, sites, {}, first('a'), first('b')),
        { flash: { info: ['a', 'b'] } },
        'when there was none',
      );
    },
  },
  {
    id: 'RACE-029',
    level: 'SHOULD',
    title: 'An array that a request puts into another order keeps it, whatever others did meanwhile',
    source: source.race,
    why: 'An array that is mixed from two orders is what nobody wanted.',
    run: async (t, sites) => {
      const found = await overlap(
        t,
        sites,
        { steps: ['a', 'b', 'c', 'd'] },
        (visit) => visit.call(['steps'], 'push', 'e'),
        (visit) => visit.call(['steps'], 'reverse'),
      );
      const steps = found?.['steps'];
      assert.ok(Array.isArray(steps), `the array is ${show(steps)}`);
      assert.deepEqual(
        steps.filter((step) => step !== 'e'),
        ['d', 'c', 'b', 'a'],
      );
    },
  },
  {
    id: 'RACE-030',
    level: 'SHOULD',
    title: 'Of two values for the same key, that of the request which ends later is there',
    source: source.save,
    why: 'What the user did last counts.',
    run: async (t, sites) => {
      const put =
        (value: unknown): Change =>
        (visit) =>
          visit.put(['value'], value);
      const data = { value: 'before' };
      holds(await overlap(t, sites, data, put(1), put(2)), { value: 2 });
      holds(await overlap(t, sites, data, put({ a: 1 }), put('text')), { value: 'text' });
      holds(await overlap(t, sites, data, put(1), (visit) => visit.remove('value')), { value: undefined });
      holds(await overlap(t, sites, data, (visit) => visit.remove('value'), put(2)), { value: 2 });
    },
  },
  ...(['changes no other object', 'is a key like any other'] as const).map(
    (what, index): RequiredMeeting => ({
      id: index === 0 ? 'RACE-031' : 'RACE-032',
      level: index === 0 ? 'MUST' : 'SHOULD',
      title: `Where two requests change a session, a key named __proto__ or constructor below the top ${what}`,
      source: source.json,
      why:
        index === 0
          ? 'Data that came from a request body would give every object of the process its properties.'
          : 'What JSON carries, a session carries; silently dropping it is losing data.',
      run: async (t, sites) => {
        const json = (extra: object) =>
          `{"__proto__":${JSON.stringify({ polluted: 1, ...extra })},"constructor":{"prototype":{"polluted":1}}}`;
        const put =
          (key: string, extra: object): Change =>
          (visit) =>
            visit.put([key], JSON.parse(json(extra)));
        const both: Change = async (visit) => {
          await put('x', { b: 2 })(visit);
          await visit.put(['seen'], true);
        };
        const found = await overlap(t, sites, { x: JSON.parse(json({})) }, put('x', { a: 1 }), both);
        const polluted = Reflect.has({}, 'polluted');
        Reflect.deleteProperty(Object.prototype, 'polluted');
        if (index === 0) assert.ok(!polluted, 'Object.prototype was changed');
        else assert.deepEqual(JSON.stringify(found?.['x']), json({ a: 1, b: 2 }));
      },
    }),
  ),
  {
    id: 'RACE-033',
    level: 'SHOULD',
    title: 'What one request has stored is the same to the letter when another one has saved',
    source: source.race,
    why: 'A merge that copies values turns dates into empty objects and numbers into text.',
    run: async (t, sites) => {
      const value = {
        date: new Date(0).toJSON(),
        numbers: [0.1, 1e21, Number.MAX_SAFE_INTEGER, -1.5],
        empty: [{}, [], '', null, false, 0],
        text: '\ud83d \u0000 👩‍🚀 "\\',
        'a.b': { $set: { '': 1 } },
        '7': [[[{ deep: null }]]],
      };
      const [kept, added] = [JSON.stringify(value), { kept: value, added: value }];
      const found = await overlap(
        t,
        sites,
        { kept: value },
        (visit) => visit.put(['added'], value),
        (visit) => visit.put(['n'], 1),
      );
      holds(found, { n: 1 });
      for (const key of Object.keys(added)) assert.equal(JSON.stringify(found?.[key]), kept, key);
    },
  },
  {
    id: 'RACE-034',
    level: 'SHOULD',
    title:
      "The cookie's settings that one request has changed outlive another's save, and the lifetime is theirs",
    source: source.maxAge,
    why: '"Remember me" is forgotten, or "forget me" is not obeyed, because a page was slow.',
    run: async (t, sites) => {
      const found = await outlives(t, sites, (visit) => visit.put(['n'], 1));
      holds(found, { n: 1, remembered: true }, 'after a longer maxAge');
      maxAgeIs(found, HOUR, 'after a longer maxAge');

      const [one, two] = sites;
      const sid = await t.stored();
      const [slow, fast] = [await one.visit(sid), await two.visit(sid)];
      await fast.put(['cookie', 'maxAge'], t.short);
      await fast.put(['remembered'], false);
      await fast.end();
      await slow.put(['n'], 1);
      await slow.end();
      await t.untilGone(sid, Date.now() + t.short);
    },
  },
  {
    id: 'RACE-035',
    level: 'SHOULD',
    title: 'A slow request that only reads does not shorten a lifetime that another one has raised',
    source: source.idle,
    why: '"Remember me" lasts until a page that was loading meanwhile is done.',
    run: async (t, sites) => {
      holds(await outlives(t, sites, nothing), { remembered: true, user: 'ada' });
    },
  },
  {
    id: 'RACE-036',
    level: 'SHOULD',
    title: 'What a request deletes after reload() is deleted, whatever it began with',
    source: source.reload,
    why: 'Its changes are those to what it has reloaded; compared with what it began with, the deletion is none.',
    run: async (t, [one, two]) => {
      const sid = await t.stored({ user: 'ada' });
      const [slow, fast] = [await one.visit(sid), await two.visit(sid)];
      await fast.put(['token'], 1);
      await fast.put(['n'], 1);
      await fast.end();
      assert.equal(await slow.reload(), null, 'reload()');
      const third = await two.visit(sid);
      await third.put(['n'], 2);
      await third.end();
      await slow.remove('token');
      await slow.end();
      holds(await t.get(sid), { user: 'ada', token: undefined, n: 2 });
    },
  },
  {
    id: 'RACE-037',
    level: 'SHOULD',
    title: 'A request that saves twice does not delete what another one has stored meanwhile',
    source: source.save,
    why: 'The request does not know what its own first save was merged with; that must not look like a deletion.',
    run: async (t, [one, two]) => {
      const sid = await t.stored({ user: 'ada' });
      const [slow, fast] = [await one.visit(sid), await two.visit(sid)];
      await fast.put(['theirs'], 1);
      await fast.end();
      await slow.put(['first'], 1);
      assert.equal(await slow.save(), null, 'save()');
      await slow.put(['second'], 2);
      await slow.end();
      holds(await t.get(sid), { user: 'ada', theirs: 1, first: 1, second: 2 });
    },
  },
  {
    id: 'RACE-038',
    level: 'SHOULD',
    title: 'A change of the cookie alone and a change of the data alone are both kept',
    source: source.maxAge,
    why: 'The middleware sends the one as touch and the other as set; each may undo the other.',
    run: async (t, sites) => {
      const orders = [
        [(visit) => visit.put(['cookie', 'maxAge'], DAY), (visit) => visit.put(['n'], 1)],
        [(visit) => visit.put(['n'], 1), (visit) => visit.put(['cookie', 'maxAge'], DAY)],
      ] as const satisfies readonly (readonly [Change, Change])[];
      for (const [earlier, later] of orders) {
        const found = await overlap(t, sites, { user: 'ada' }, earlier, later);
        holds(found, { user: 'ada', n: 1 });
        maxAgeIs(found, DAY, 'afterwards');
      }
    },
  },
];

const REQUESTS = 50;
const ABREAST = 10;

/** Requests that all begin before any ends, each with a key and an item of its own. */
const manyAtOnce =
  (where: Where): Requirement['run'] =>
  async (t) => {
    const sites = await t.sites(where);
    const sid = await t.stored({ user: 'ada', cart: [], keys: {} });
    const numbers = Array.from({ length: REQUESTS }, (_, n) => n);
    const visits = await Promise.all(numbers.map((n) => sites[n % 2 ? 1 : 0].visit(sid)));
    await Promise.all(
      visits.map(async (visit, n) => {
        await visit.put(['keys', `k${n}`], n);
        await visit.call(['cart'], 'push', n);
      }),
    );
    // Each save may have to wait for all before it; with fewer side by side, none waits for longer than a store may take.
    const waiting = visits.values();
    const endInTurn = async () => {
      for (const visit of waiting) await visit.end();
    };
    await Promise.all(Array.from({ length: ABREAST }, endInTurn));
    for (const site of sites) await site.hadNoErrors();
    const found = await t.get(sid);
    holds(found, { user: 'ada', keys: Object.fromEntries(numbers.map((n) => [`k${n}`, n])) });
    const cart = found?.['cart'];
    assert.ok(Array.isArray(cart), `the array is ${show(cart)}`);
    assert.deepEqual(
      cart.sort((a, b) => a - b),
      numbers,
    );
  };

export const merge = group('RACE', [
  ...overlaps.map(onOneStore),
  {
    id: 'RACE-039',
    level: 'SHOULD',
    title: 'Saves of one request that are not waited for keep their order',
    source: source.save,
    why: 'What was stored first would win over what was stored last.',
    run: async (t) => {
      const sid = await t.stored({ n: 0 });
      const [{ session }, other] = [await t.load(sid), await t.load(sid)];
      const save = (data: object, of: LiveSession = session) => {
        Object.assign(of, data);
        return answerOf('save', (callback) => of.save(callback));
      };
      await save({ theirs: 1 }, other.session);
      const answers = await Promise.all([1, 2, 3].map((n) => save({ n, text: 'x'.repeat(10_000 / n) })));
      assert.deepEqual(answers.map(({ error }) => error && show(error)).filter(Boolean), []);
      holds(await t.get(sid), { n: 3, theirs: 1 });
      await Promise.all([save({ n: 4 }), t.destroy(sid)]);
      assert.equal(await t.get(sid), null, 'save, destroy');
    },
  },
  {
    id: 'RACE-040',
    level: 'SHOULD',
    title: `Of ${REQUESTS} requests at once that each add a key and an item, none is lost`,
    source: source.race,
    why: 'Uploads, calls in the background and impatient clicks come in bursts.',
    alone: true,
    run: manyAtOnce('on one store'),
  },
  {
    id: 'RACE-041',
    level: 'SHOULD',
    title: 'Over two connections, no request undoes what another one did',
    source: source.race,
    why: 'What one store object knows of the requests under way, another does not know.',
    run: (t) => hold(t, 'over two connections', overlaps),
  },
  {
    id: 'RACE-042',
    level: 'SHOULD',
    title: 'In two processes, no request undoes what another one did',
    source: source.race,
    why: 'The requests of one user go to several processes; what one knows of those under way, another does not.',
    run: (t) => hold(t, 'in two processes', overlaps),
  },
  {
    id: 'RACE-043',
    level: 'SHOULD',
    title: `Over two connections, of ${REQUESTS} requests at once that each add a key and an item, none is lost`,
    source: source.race,
    why: 'A lock or queue inside of one store object does not help here.',
    alone: true,
    run: manyAtOnce('over two connections'),
  },
  {
    id: 'RACE-044',
    level: 'SHOULD',
    title: `In two processes, of ${REQUESTS} requests at once that each add a key and an item, none is lost`,
    source: source.race,
    why: 'A lock or queue inside of one process does not help here.',
    alone: true,
    run: manyAtOnce('in two processes'),
  },
]);
