import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { answerOf } from '../calls.js';
import type { Context } from '../context.js';
import type { Capabilities } from '../harness.js';
import { group, Inconclusive, Unsupported } from '../requirement.js';
import { source } from '../sources.js';

/** What the store declares; without a word of it, nothing is judged. */
function declared<K extends keyof Capabilities>(t: Context, name: K): NonNullable<Capabilities[K]> {
  const value = t.capabilities[name];
  if (value === undefined)
    throw new Unsupported(`neither the store nor the harness declares that (\`capabilities.${name}\`)`);
  return value;
}

/** A moment on this machine's clock that is known but for some milliseconds. */
interface Moment {
  readonly from: number;
  readonly to: number;
}

/** How exactly a deadline has to be known, and how often that is tried. */
const SHARP_MS = 50;
const TRIES = 10;

/** When a session with this lifetime ends: as asked for, and as the server has it. */
async function ends(t: Context, lifetime: number): Promise<{ asked: Moment; held: Moment }> {
  for (let tries = TRIES; tries > 0; tries -= 1) {
    const sid = t.sid();
    const asked = await timed(() => t.set(sid, t.session({}, lifetime)));
    const held = await timed(() => t.deadline(sid));
    if (asked.to - asked.from > SHARP_MS || held.to - held.from > SHARP_MS) continue;
    const left = held.result;
    assert.ok(left !== undefined, 'the server does not have the session');
    return {
      asked: { from: asked.from + lifetime, to: asked.to + lifetime },
      held: { from: held.from + left, to: held.to + left },
    };
  }
  throw new Inconclusive(`no call was answered within ${SHARP_MS} ms`);
}

async function timed<T>(call: () => Promise<T>): Promise<Moment & { result: T }> {
  const from = Date.now();
  const result = await call();
  return { from, to: Date.now(), result };
}

export const capability = group('CAPABILITY', [
  {
    id: 'CAPABILITY-001',
    level: 'SHOULD',
    title: 'Another process has the same sessions just when the store says so',
    source: source.get,
    why: 'With a second process half of the users are logged out; or one application reads what another was to keep.',
    run: async (t) => {
      const shared = declared(t, 'shared');
      const sid = await t.stored({ user: 'ada' });
      let seen: unknown;
      if (shared && !t.subject.elsewhere) {
        seen = (await (await t.other()).get(sid))?.['user'];
      } else {
        const visit = await (await t.elsewhere()).visit(sid);
        seen = await visit.get('user');
        await visit.end();
      }
      assert.equal(seen === 'ada', shared, `the other one has the session, with shared: ${shared}`);
    },
  },
  {
    id: 'CAPABILITY-002',
    level: 'SHOULD',
    title: 'The server deletes what has expired just when the store says so',
    source: source.idle,
    why: 'Where nobody deletes, the server fills up; where two do, the second one is work for nothing.',
    run: async (t) => {
      const native = declared(t, 'nativeExpiry');
      const lag = t.subject.expiryLagMs ?? 1_000;
      if (native && lag > 10_000)
        throw new Unsupported(`the server may take ${lag} ms, which is long to watch`);
      const sid = await t.stored({}, t.short);
      const isThere = async () => (await t.deadline(sid)) !== undefined;
      assert.ok(await t.before(Date.now() + t.short, isThere), 'the server does not have the session');
      await t.past(Date.now() + t.short);
      if (native) return t.until('the server has deleted the session', lag, async () => !(await isThere()));

      for (const end = Date.now() + lag; Date.now() < end; await delay(50)) {
        assert.ok(await isThere(), 'the server has deleted the session, with nativeExpiry: false');
      }
      const { sweep } = t.store;
      if (!sweep) return;
      const { error } = await answerOf('sweep', (callback) => Reflect.apply(sweep, t.store, [callback]));
      assert.ok(!error && !(await isThere()), 'the store has a sweep that does not delete the session');
    },
  },
  {
    id: 'CAPABILITY-003',
    level: 'SHOULD',
    title: 'Deadlines are just as coarse as the store says',
    source: source.expires,
    why: 'Sessions end earlier or later than cookies; and tests that allow for a grain that is not there see nothing.',
    alone: true,
    run: async (t) => {
      const grain = declared(t, 'grainMs');
      const lifetimes = Array.from({ length: 8 }, (_, n) => 10_000 + 137 * n);
      const found: Moment[] = [];
      for (const lifetime of lifetimes) {
        const { asked, held } = await ends(t, lifetime);
        const off = Math.max(asked.from - grain - held.to, held.from - asked.to - grain, 0);
        assert.ok(off === 0, `a session ends ${grain + off} ms off, with grainMs: ${grain}`);
        found.push(held);
      }
      // Those of a coarse clock all stand on its ticks.
      const [first] = found;
      if (!first || grain <= 4 * SHARP_MS) return;
      const strays = found.filter(({ from, to }) => {
        const least = (((from - first.to) % grain) + grain) % grain;
        const width = to - from + (first.to - first.from);
        return least > 1 && least + width < grain - 1;
      });
      assert.equal(strays.length, 0, `${strays.length} of 8 deadlines are finer than grainMs: ${grain}`);
    },
  },
]);
