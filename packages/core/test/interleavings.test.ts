import type { Session, SessionData } from 'express-session';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MapBackend, plain, requestFor, TestStore } from './helpers.js';

declare module 'express-session' {
  interface SessionData {
    items?: string[];
    keys?: Record<string, number>;
  }
}

const step = fc.constantFrom(
  'append',
  'consume',
  'set',
  'delete',
  'save',
  'save unheard',
  'touch',
  'reload',
  'pause',
);
const request = fc.record({
  process: fc.nat({ max: 1 }),
  steps: fc.array(step, { maxLength: 6 }),
});

type Live = { session: Session & SessionData };

/** Which changes the answered saves have made, told from what each request saw and had, not from how they are merged. */
class Ledger {
  readonly #appended = new Set<string>(['first']);
  readonly #consumed = new Set<string>();
  readonly keys = new Map<string, number | undefined>([['old', 1]]);
  #seen = new WeakMap<object, { items: string[]; keys: Record<string, number> }>();

  see({ session }: Live): void {
    this.#seen.set(session, { items: session.items ?? [], keys: { ...session.keys } });
  }

  /** The saved session is what its request sees from now on. */
  save(live: Live): void {
    const { items = [], keys = {} } = live.session;
    const seen = this.#seen.get(live.session) ?? { items: [], keys: {} };
    for (const item of items) if (!seen.items.includes(item)) this.#appended.add(item);
    for (const item of seen.items) if (!items.includes(item)) this.#consumed.add(item);
    for (const key of Object.keys({ ...keys, ...seen.keys })) {
      if (keys[key] !== seen.keys[key]) this.keys.set(key, keys[key]);
    }
    this.see(live);
  }

  get items(): string[] {
    return [...this.#appended].filter((item) => !this.#consumed.has(item));
  }
}

/** Runs requests on one session, with the calls of both processes on the backend and their answers in any order. */
async function run(
  s: fc.Scheduler,
  requests: readonly { process: number; steps: readonly string[] }[],
  ledger: Ledger,
  destroyAfter?: number,
) {
  const backend = new MapBackend();
  const stores = [
    new TestStore(backend, { touchAfter: 0 }),
    new TestStore(backend, { touchAfter: 0 }),
  ] as const;
  backend.put('a', plain({ items: ['first'], keys: { old: 1 } }, 60_000));
  backend.between = async (call, act) => {
    await s.schedule(Promise.resolve(), call);
    const done = act();
    await s.schedule(Promise.resolve(), `${call}, answered`);
    return done;
  };
  let destroyed = false;
  const problems: unknown[] = [];

  async function serve(process: number, steps: readonly string[], name: string): Promise<void> {
    const store = stores[process === 0 ? 0 : 1];
    const live = await requestFor(store, 'a').catch(() => undefined);
    if (live === undefined) return;
    ledger.see(live);
    const unheard: Promise<unknown>[] = [];
    for (const [at, step] of [...steps, 'save'].entries()) {
      const { session } = live;
      if (step === 'append') session.items = [...(session.items ?? []), `${name}.${at}`];
      if (step === 'consume') delete session.items;
      if (step === 'set') session.keys = { ...session.keys, [name]: at };
      if (step === 'delete' && session.keys) delete session.keys['old'];
      if (step === 'pause') await s.schedule(Promise.resolve(), 'pause');
      if (step === 'touch') {
        // What express-session takes for unchanged and is not is saved.
        ledger.save(live);
        await store.touch('a', session);
      }
      if (step === 'save' || step === 'save unheard') {
        ledger.save(live);
        const saved = store.set('a', session);
        if (step === 'save') await saved;
        else unheard.push(saved);
      }
      if (step === 'reload') {
        await new Promise<void>((done) => void session.reload(() => done()));
        ledger.see(live);
      }
    }
    await Promise.all(unheard);
  }

  const work = requests.map(({ process, steps }, n) =>
    serve(process, steps, `r${n}`).catch((e) => void problems.push(e)),
  );
  if (destroyAfter !== undefined) {
    work.push(
      (async () => {
        for (let n = 0; n < destroyAfter; n += 1) await s.schedule(Promise.resolve(), 'before the logout');
        await stores[1].destroy('a');
        destroyed = true;
        expect(backend.text('a'), 'when it is answered').toBeUndefined();
      })(),
    );
  }
  await s.waitFor(Promise.all(work));
  return { backend, stores, destroyed, problems };
}

test('no order of calls and answers loses a change that was saved, or does one twice', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(request, { minLength: 2, maxLength: 4 }),
      async (s, requests) => {
        const ledger = new Ledger();
        const { backend, problems } = await run(s, requests, ledger);
        expect(problems).toEqual([]);
        const stored = backend.json('a') as { items?: string[]; keys?: object };
        expect([...(stored.items ?? [])].sort()).toEqual(ledger.items.sort());
        expect(stored.keys).toEqual(JSON.parse(JSON.stringify(Object.fromEntries(ledger.keys))));
      },
    ),
    { numRuns: 500 },
  );
});

test('no order of calls and answers brings back a session that has ended, and no late request fails for it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(request, { minLength: 1, maxLength: 3 }),
      fc.nat({ max: 12 }),
      async (s, requests, after) => {
        const { backend, stores, destroyed, problems } = await run(s, requests, new Ledger(), after);
        expect(problems).toEqual([]);
        expect(destroyed).toBe(true);
        expect(backend.rows.size).toBe(0);
        backend.between = (_call, act) => act();
        expect(await stores[0].get('a')).toBeNull();
      },
    ),
    { numRuns: 500 },
  );
});
