import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { answerOf, Calls, type Method } from '../calls.js';
import { type Context, holds } from '../context.js';
import { leavesProcessAlone } from '../escapes.js';
import type { Interruptible } from '../harness.js';
import { group, type Requirement } from '../requirement.js';
import { source } from '../sources.js';

/** How long calls are given to be answered while the server is away, before it comes back for those that wait for it. */
const AWAY_MS = 4_000;

/** A store that works, with a session, and whose server is about to go away. */
class Outage extends Calls {
  readonly line: Required<Interruptible>;
  readonly sid: string;
  readonly #t: Context;

  private constructor(t: Context, line: Required<Interruptible>) {
    super(line.store);
    this.line = line;
    this.sid = t.sid();
    this.#t = t;
  }

  static async ahead(t: Context): Promise<Outage> {
    const outage = new Outage(t, await t.interruptible());
    await outage.set(outage.sid, t.session({ user: 'ada' }));
    holds(await outage.get(outage.sid), { user: 'ada' });
    return outage;
  }

  /** The calls that requests make. */
  requests(): readonly (readonly [Method, ...unknown[]])[] {
    const session = this.#t.session({ user: 'grace' });
    const touch = ['touch', this.sid, session] as const;
    return [
      ['get', this.sid],
      ['set', this.#t.sid(), session],
      ['destroy', this.#t.sid()],
      ...(this.store.touch ? [touch] : []),
    ];
  }

  /** Makes these calls while the server is away. It comes back when they are answered, or soon, for those that wait for it. */
  async during<T>(calls: () => readonly Promise<T>[]): Promise<T[]> {
    await this.line.interrupt();
    const answered = Promise.all(calls());
    const most = delay(Math.min(AWAY_MS, this.line.withinMs), undefined, { ref: false });
    await Promise.race([answered.catch(() => {}), most]);
    await this.line.restore();
    return answered;
  }

  /** Done when calls are answered without an error again. */
  over(): Promise<void> {
    return this.#t.untilWorking(() => this.attempt('get', this.sid), this.line.withinMs);
  }

  /** A login and a log-out while the server is away: what they were answered with, and what came of them. */
  async changes() {
    const sid = this.#t.sid();
    const [set, destroy] = await this.during(() => [
      this.attempt('set', sid, this.#t.session({ user: 'grace' })),
      this.attempt('destroy', this.sid),
    ]);
    await this.over();
    return {
      set: { error: set?.error, found: await this.get(sid) },
      destroy: { error: destroy?.error, found: await this.get(this.sid) },
    };
  }
}

/** Each has the time that a failing server takes; and it may be a real one, so that nothing else runs beside. */
const faults = (list: readonly Omit<Requirement, 'group' | 'alone'>[]) =>
  group(
    'FAULT',
    list.map((requirement) => ({ ...requirement, alone: true })),
  );

export const fault = faults([
  {
    id: 'FAULT-001',
    level: 'SHOULD',
    title: 'While the server is away, every call is answered in time',
    source: source.required,
    why: 'Requests pile up until the application is away as well.',
    run: async (t) => {
      const outage = await Outage.ahead(t);
      const { interrupt, withinMs } = outage.line;
      await interrupt();
      await Promise.all(
        outage
          .requests()
          .map(([method, ...args]) =>
            answerOf(method, (callback) => outage.invoke(method, ...args, callback), withinMs),
          ),
      );
    },
  },
  {
    id: 'FAULT-002',
    level: 'MUST',
    title: 'A call that is made while the server is away calls back once, then or when it is back',
    source: source.onError,
    why: 'The error handler runs, and later the rest of the request as well; or the request hangs for ever.',
    run: async (t) => {
      const outage = await Outage.ahead(t);
      const times = new Map<Method, number>();
      const counted = (method: Method, args: readonly unknown[]) =>
        answerOf(method, (callback) =>
          outage.invoke(method, ...args, () => {
            times.set(method, (times.get(method) ?? 0) + 1);
            callback();
          }),
        );
      await outage.during(() => outage.requests().map(([method, ...args]) => counted(method, args)));
      await outage.over();
      for (const [method, count] of times) assert.equal(count, 1, `${method} called back ${count} times`);
    },
  },
  {
    id: 'FAULT-003',
    level: 'MUST',
    title: 'While the server is away, get does not answer that there is no session',
    source: source.absent,
    why: 'Everybody who comes in that moment is logged out, and stays so: the middleware gives them a new id.',
    run: async (t) => {
      const outage = await Outage.ahead(t);
      const [found] = await outage.during(() => [outage.attempt('get', outage.sid)]);
      assert.ok(found?.error || found?.value, 'get answered without a session and without an error');
    },
  },
  {
    id: 'FAULT-004',
    level: 'MUST',
    title: 'What is answered without an error while the server is away has been done when it is back',
    source: source.setAnswer,
    why: 'A log-out that is confirmed is none; a login that is confirmed is not there.',
    run: async (t) => {
      const { set, destroy } = await (await Outage.ahead(t)).changes();
      if (!set.error) holds(set.found, { user: 'grace' }, 'set was confirmed');
      if (!destroy.error) assert.equal(destroy.found, null, 'destroy was confirmed');
    },
  },
  {
    id: 'FAULT-005',
    level: 'SHOULD',
    title: 'What was answered with an error while the server was away is not done when it is back',
    source: source.setAnswer,
    why: 'Kept in a queue, a save comes after the log-out that came after it, and opens the session again.',
    run: async (t) => {
      const { set, destroy } = await (await Outage.ahead(t)).changes();
      if (set.error) assert.equal(set.found, null, 'set had answered with an error');
      if (destroy.error) holds(destroy.found, { user: 'ada' }, 'destroy had answered with an error');
    },
  },
  {
    id: 'FAULT-006',
    level: 'MUST',
    title: 'While the server is away, no call ends the process, nor does destroy without a callback',
    source: source.bareDestroy,
    why: 'req.session.destroy() calls it so: one log-out at the wrong moment ends the process of all users.',
    run: async (t) => {
      const outage = await Outage.ahead(t);
      await leavesProcessAlone(async () => {
        await outage.during(() => {
          outage.invoke('destroy', t.sid(), undefined);
          outage.invoke('destroy', t.sid());
          return outage.requests().map((request) => outage.attempt(...request));
        });
        await outage.over();
      });
    },
  },
  {
    id: 'FAULT-007',
    level: 'SHOULD',
    title: 'When the server is back, the store goes on by itself',
    source: source.required,
    why: 'Somebody has to get up at night and start the application again, although the server is well.',
    run: async (t) => {
      const outage = await Outage.ahead(t);
      await outage.during(() => outage.requests().map((request) => outage.attempt(...request)));
      await outage.over();
      holds(await outage.get(outage.sid), { user: 'ada' });
      await outage.set(outage.sid, t.session({ user: 'grace' }));
      holds(await outage.get(outage.sid), { user: 'grace' });
    },
  },
]);
