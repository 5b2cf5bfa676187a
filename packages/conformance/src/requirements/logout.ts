import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { show } from '../calls.js';
import { type Context, HOUR, type Where } from '../context.js';
import { group } from '../requirement.js';
import { source } from '../sources.js';
import type { Visit } from '../visits.js';
import { hold, type Meeting, onOneStore, type RequiredMeeting, type Sites } from './meetings.js';

const change = (visit: Visit) => visit.put(['changed'], randomUUID());

/** Whether a late save answers with an error is not judged. */
const changeAndSave = async (visit: Visit) => {
  await change(visit);
  await visit.save();
};

async function isGone(t: Context, sid: string, ending: string): Promise<void> {
  const found = await t.get(sid);
  assert.ok(found === null, `after ${ending}() the session is there again: ${show(found)}`);
}

/** What a slow request does around the end of its session; afterwards that is gone, ended one way or the other. */
const staysGone =
  (
    /** What it does when the session has ended. */
    after: (slow: Visit) => Promise<unknown>,
    {
      /** What it does while the session is there. */
      before = (_: Visit): Promise<unknown> => Promise.resolve(),
      /** Whether the session's own time is over by then, too. */
      expired = false,
    } = {},
  ): Meeting['run'] =>
  async (t, [one, two]) => {
    for (const ending of ['destroy', 'regenerate'] as const) {
      const end = Date.now() + t.short;
      const sid = await t.stored({ user: 'ada' }, expired ? t.short : undefined);
      const overtaken = async () => {
        const slow = await one.visit(sid);
        await before(slow);
        const fast = await two.visit(sid);
        assert.equal(await fast[ending](), null, `${ending}()`);
        await fast.end();
        return slow;
      };
      const slow = await (expired ? t.before(end, overtaken) : overtaken());
      if (expired) await t.past(Date.now() + t.short);
      await after(slow);
      await slow.end();
      await isGone(t, sid, ending);
    }
  };

const stragglers: readonly RequiredMeeting[] = [
  {
    id: 'RACE-015',
    level: 'SHOULD',
    title: 'A slow request that calls save() does not undo a log-out',
    source: source.race,
    why: 'Applications save before they redirect; the user believes to be logged out, and is not.',
    run: staysGone(changeAndSave),
  },
  {
    id: 'RACE-016',
    level: 'SHOULD',
    title: 'A slow request that has saved before does not undo a log-out by saving again',
    source: source.race,
    why: 'Having stored the session once, it takes the id for its own.',
    run: staysGone(change, { before: changeAndSave }),
  },
  {
    id: 'RACE-017',
    level: 'SHOULD',
    title: 'A slow request that calls reload() after a log-out, and goes on, does not undo it',
    source: source.reload,
    why: 'reload() fails and leaves the old session on the request, which is saved at its end.',
    run: staysGone(async (slow) => {
      assert.notEqual(await slow.reload(), null, 'reload() found the session again');
      await change(slow);
    }),
  },
  {
    id: 'RACE-018',
    level: 'MUST',
    title: 'A slow request that calls regenerate() after a log-out does not bring the old id back',
    source: source.regenerate,
    why: 'Logging in again in another tab must not open the session that was ended.',
    run: staysGone(async (slow) => {
      assert.equal(await slow.regenerate(), null, 'regenerate()');
      await change(slow);
    }),
  },
  {
    id: 'RACE-019',
    level: 'SHOULD',
    title: 'A slow request that changes only the cookie does not undo a log-out',
    source: source.callsTouch,
    why: 'The middleware sends it as touch; "remember me" must not remember whom the user asked to forget.',
    run: staysGone((slow) => slow.put(['cookie', 'maxAge'], 2 * HOUR)),
  },
  {
    id: 'RACE-020',
    level: 'SHOULD',
    title: 'A slow request that outlasts its own cookie does not undo a log-out',
    source: source.race,
    why: 'Whoever keeps slow requests from ending a session that others use may let them open one that was ended.',
    run: staysGone(changeAndSave, { expired: true }),
  },
  {
    id: 'RACE-021',
    level: 'MUST',
    title: 'Logging out twice at once is no error',
    source: source.destroyAnswer,
    why: 'Users click twice, and have two tabs.',
    run: staysGone(async (slow) => assert.equal(await slow.destroy(), null, 'destroy()')),
  },
];

/** What RACE-004, RACE-006 and RACE-007 ask of one store. */
const others: readonly Meeting[] = [
  { title: 'A slow request that changes the session', run: staysGone(change) },
  { title: 'A slow request that only reads', run: staysGone(async () => {}) },
  {
    title: 'A slow request that reloaded before',
    run: staysGone(change, { before: async (slow) => assert.equal(await slow.reload(), null, 'reload()') }),
  },
  { title: 'The first request of a new session, which has saved it', run: firstRequest },
];

/** A session that its first request saves early; nobody else can know it but by its id. */
async function firstRequest(t: Context, [one, two]: Sites): Promise<void> {
  const first = await one.visit();
  const sid = String(await first.get('id'));
  await first.put(['user'], 'ada');
  assert.equal(await first.save(), null, 'save()');
  const fast = await two.visit(sid);
  assert.equal(await fast.destroy(), null, 'destroy()');
  await fast.end();
  await change(first);
  await first.end();
  await isGone(t, sid, 'destroy');
}

const allOfThem = (where: Where) => (t: Context) => hold(t, where, [...others, ...stragglers]);

export const logout = group('RACE', [
  ...stragglers.map(onOneStore),
  {
    id: 'RACE-022',
    level: 'SHOULD',
    title: 'Over two connections, no slow request undoes a log-out, whatever it does',
    source: source.race,
    why: 'What one store object remembers of its log-outs, another does not know.',
    run: allOfThem('over two connections'),
  },
  {
    id: 'RACE-023',
    level: 'SHOULD',
    title: 'In two processes, no slow request undoes a log-out, whatever it does',
    source: source.race,
    why: 'What one process remembers of its log-outs, another does not know; the requests of one user go to several.',
    run: allOfThem('in two processes'),
  },
]);
