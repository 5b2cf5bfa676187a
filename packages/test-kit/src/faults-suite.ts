import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import type { SessionStore, StoreError, StoreOptions } from '@session-stores/core';
import { afterEach, expect, test } from 'vitest';
import { collect, failure, untilItWorks } from './answers.js';
import { serve } from './application.js';
import { startProxy } from './proxy.js';
import { sessionWith } from './sessions.js';

/** A server that belongs to the tests, which hurt it, and that keeps what it has acknowledged when it is killed. */
export interface FragileServer {
  readonly url: string;
  pause(): Promise<void>;
  resume(): Promise<void>;
  kill(): Promise<void>;
  restart(): Promise<void>;
}

/** How the tests come to stores. */
export interface Stores {
  /**
   * The ways in which a store is given its server, by their names: opens one that keeps its sessions under a name that only it has, in a
   * table or database of this name, say. It is closed after the test. The first way is the one in which the store connects by itself.
   */
  readonly ways: Readonly<Record<string, (url: string, name: string, options: StoreOptions) => SessionStore>>;
  /** The ids of all sessions under a name, as the server has them. */
  ids(name: string): Promise<string[]>;
  /** The time limit of the stores, in milliseconds: as short as the driver's own habits allow. */
  readonly limitMs: number;
}

/** What a busy machine may add to a time limit. */
const MARGIN = 3000;

/** How long a store may take to notice that its server is gone, or back. */
const RECOVERY = { timeout: 10_000, interval: 20 };

const ID = 'the-id-of-a-session';
const TEXT = 'what is nobody else’s business';

/** What every store does when its server fails, and when it is back. */
export function testFaults(server: FragileServer, { ways, ids, limitMs }: Stores): void {
  const [first] = Object.keys(ways);

  /** A store in a place of its own; rather patient, unless the test is about time. */
  function open({
    url = server.url,
    way = first,
    timeoutMs = 3 * limitMs,
  }: {
    url?: string;
    way?: string;
    timeoutMs?: number;
  } = {}) {
    const name = `t${randomUUID().replaceAll('-', '')}`;
    const store = ways[way ?? '']?.(url, name, { timeoutMs });
    if (store === undefined) throw new Error(`there is no way ${way}`);
    return { name, store };
  }

  /** An impatient store for each way. */
  const openAll = () => Object.keys(ways).map((way) => open({ way, timeoutMs: limitMs }).store);

  // However a test ends, the next one finds the server up.
  let down = false;
  const kill = () => {
    down = true;
    return server.kill();
  };
  const restart = async () => {
    await server.restart();
    down = false;
  };
  afterEach(() => (down ? restart() : server.resume()));

  test('that is killed is reported in time, with the reason, and served again when it is back', async () => {
    const stores = openAll();
    for (const store of stores) await untilItWorks(store);
    await kill();
    for (const store of stores) {
      // Until it is known that nothing listens there any more.
      const cause = async () => String((await failure(store.get(ID))).cause);
      await expect.poll(cause, RECOVERY).toMatch(/ECONNREFUSED/);
      for (const error of await failures(store, limitMs)) {
        expect(error, error.operation).toMatchObject({ code: 'UNAVAILABLE', mayHaveHappened: false });
        expect(String(error.cause), error.operation).toContain('ECONNREFUSED');
      }
    }
    await restart();
    for (const store of stores) {
      await expect.poll(() => store.get('alive').catch(() => null), RECOVERY).not.toBeNull();
      await untilAllWorks(store);
    }
  });

  test('that is killed keeps what was acknowledged, and never gets later what was answered with an error', async () => {
    const { store, name } = open();
    await untilItWorks(store);
    const old = Array.from({ length: 100 }, (_, n) => `old${n}`);
    await Promise.all(old.map((id) => store.set(id, sessionWith())));
    const stored: string[] = [];
    const ended: string[] = [];
    let failed = 0;
    const settle = (call: Promise<unknown>, id: string, list: string[]) =>
      call.then(
        () => void list.push(id),
        () => void failed++,
      );
    // Some are answered before the kill, some are under way, some come after it.
    const calls: Promise<unknown>[] = [];
    for (let n = 0; n < 300; n++) {
      calls.push(settle(store.set(`new${n}`, sessionWith()), `new${n}`, stored));
      if (n < 100) calls.push(settle(store.destroy(`old${n}`), `old${n}`, ended));
      if (n === 100) calls.push(kill());
      if (n % 10 === 0) await new Promise(setImmediate);
    }
    await Promise.all(calls);
    expect(failed).toBeGreaterThan(0);

    await restart();
    const atStart = await ids(name);
    expect(atStart).toEqual(expect.arrayContaining(stored));
    expect(atStart.filter((id) => ended.includes(id))).toEqual([]);
    await untilItWorks(store);
    await Promise.all(Array.from({ length: 20 }, () => store.get('a')));
    expect((await ids(name)).sort()).toEqual(atStart.sort());
  });

  test('may come after the store, which shows no password meanwhile', async () => {
    await kill();
    const url = new URL(server.url);
    url.username = 'someone';
    url.password = 'hush-hush';
    for (const error of await failures(open({ url: url.href, timeoutMs: limitMs }).store, limitMs)) {
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('hush');
    }
    const stores = openAll();
    for (const store of stores) {
      expect(await failure(store.get('a'))).toMatchObject({ code: 'UNAVAILABLE', mayHaveHappened: false });
    }
    await restart();
    for (const store of stores) await untilItWorks(store);
  });

  test('that is killed leaves an Express application running, which serves everybody again afterwards', async () => {
    const { store } = open();
    await untilItWorks(store);
    const app = await serve(store);
    const [alice, bob] = [app.browser(), app.browser()];
    await alice.go('/login/alice');
    await bob.go('/login/bob');
    await kill();
    const refused = async () => (await alice.go('/')).body;
    await expect
      .poll(refused, RECOVERY)
      .toMatch(/^StoreError: \w+: get of session #\w+ failed: there is no connection/);
    const during = await Promise.all(Array.from({ length: 50 }, () => alice.go('/')));
    expect(new Set(during.map(({ status }) => status))).toEqual(new Set([500]));
    await restart();
    await expect.poll(async () => (await alice.go('/')).status, RECOVERY).toBe(200);
    const after = await Promise.all(Array.from({ length: 50 }, () => bob.go('/')));
    expect(new Set(after.map(({ status }) => status))).toEqual(new Set([200]));
    expect((await bob.go('/')).body).toMatch(/^bob /);
  });

  test.each(Object.keys(ways))(
    'that is frozen is answered for in time, and served again when it thaws: %s',
    async (way) => {
      const { store } = open({ way, timeoutMs: limitMs });
      await untilItWorks(store);
      await server.pause();
      for (const turn of ['at first', 'and later']) {
        for (const { code, operation } of await failures(store, limitMs)) {
          expect(['TIMEOUT', 'UNAVAILABLE'], `${operation} ${turn}`).toContain(code);
        }
      }
      await server.resume();
      await untilAllWorks(store);
    },
  );

  test.each(Object.keys(ways))(
    'that is frozen gets nothing later that was answered as not done: %s',
    async (way) => {
      const { store, name } = open({ way, timeoutMs: limitMs });
      await untilItWorks(store);
      await server.pause();
      const notDone: string[] = [];
      const write = async (id: string) => {
        const { code, mayHaveHappened } = await failure(store.set(id, sessionWith()));
        expect(['TIMEOUT', 'UNAVAILABLE']).toContain(code);
        if (!mayHaveHappened) notDone.push(id);
      };
      await Promise.all(Array.from({ length: 40 }, (_, n) => write(`early${n}`)));
      await failure(store.get('a'));
      await Promise.all(Array.from({ length: 40 }, (_, n) => write(`late${n}`)));
      if (way === first) expect(notDone.length).toBeGreaterThan(0);
      await server.resume();
      await untilItWorks(store);
      await untilAllWorks(open({ way }).store);
      expect((await ids(name)).filter((id) => notDone.includes(id))).toEqual([]);
    },
  );

  test('that is frozen at the start is waited for no longer than the time limit, and gets nothing later', async () => {
    const { store, name } = open({ timeoutMs: limitMs });
    await server.pause();
    const error = await failure(store.set('late', sessionWith()));
    expect(['TIMEOUT', 'UNAVAILABLE']).toContain(error.code);
    expect(error).toMatchObject({ mayHaveHappened: false });
    expect(error.after).toBeLessThan(limitMs + MARGIN);
    await server.resume();
    await untilItWorks(store);
    expect(await ids(name)).toEqual(['alive']);
  });

  test('that is frozen is not waited for by close', async () => {
    const { store } = open({ timeoutMs: limitMs });
    await untilItWorks(store);
    await server.pause();
    const call = failure(store.get('a'));
    const start = performance.now();
    await store.close();
    expect(performance.now() - start).toBeLessThan(2 * limitMs + MARGIN);
    expect(['TIMEOUT', 'UNAVAILABLE', 'CLOSED']).toContain((await call).code);
  });

  test('whose connections are cut costs no more than the calls under way: each is answered once, and truly', async () => {
    const proxy = await startProxy(server.url);
    const { store } = open({ url: proxy.url, timeoutMs: 10_000 });
    let acknowledged = 0;
    let lost = 0;

    /** Writes until enough was acknowledged; answers what the server may hold in the end. */
    const work = async (id: string) => {
      let possible = new Set<number | undefined>([undefined]);
      for (let n = 1, stored = 0; stored < 30; n++) {
        let answers = 0;
        await new Promise<void>((resolve, reject) => {
          store.set(id, sessionWith({ n }), (error) => {
            answers++;
            if (error === null) {
              stored++;
              possible = new Set([n]);
              if (++acknowledged % 60 === 30) proxy.cut();
            } else if (error.code !== 'UNAVAILABLE') reject(error);
            else if (error.mayHaveHappened) {
              lost++;
              possible.add(n);
            }
            setImmediate(resolve);
          });
        });
        expect(answers).toBe(1);
      }
      return { id, possible };
    };
    const ends = await Promise.all(Array.from({ length: 10 }, (_, index) => work(`id${index}`)));
    expect(lost, 'some must have been under way').toBeGreaterThan(0);
    await untilItWorks(store);
    for (const { id, possible } of ends) expect([...possible], id).toContain((await store.get(id))?.n);
  });

  test('whose answers are lost is told about truly: what may have happened, and what did not', async () => {
    const proxy = await startProxy(server.url);
    const { store, name } = open({ url: proxy.url });
    await untilItWorks(store);
    proxy.mute();
    const error = await failure(store.set('a', sessionWith()));
    expect(error.code).toBe('TIMEOUT');
    if (error.mayHaveHappened) await expect.poll(() => ids(name), RECOVERY).toContain('a');
    proxy.cut();
    await untilItWorks(store);
    if (!error.mayHaveHappened) expect(await ids(name)).not.toContain('a');
  });
}

/** Every operation, by name; each on a session of its own, because calls on one wait for each other. */
function everything(store: SessionStore): Record<string, () => Promise<unknown>> {
  return {
    get: () => store.get(`${ID}-1`),
    set: () => store.set(`${ID}-2`, sessionWith({ text: TEXT })),
    touch: () => store.touch(`${ID}-3`, sessionWith({ text: TEXT })),
    destroy: () => store.destroy(`${ID}-4`),
    all: () => store.all(),
    entries: () => collect(store.entries()),
    length: () => store.length(),
    clear: () => store.clear(),
    ...(store.capabilities.nativeExpiry ? {} : { sweep: () => store.sweep() }),
  };
}

/** The errors that all of them are answered with, in time; none shows an id or data. */
function failures(store: SessionStore, limitMs: number): Promise<StoreError[]> {
  return Promise.all(
    Object.entries(everything(store)).map(async ([name, operation]) => {
      const error = await failure(operation());
      expect(error.operation).toBe(name);
      expect(error.after, name).toBeLessThan(limitMs + MARGIN);
      const shown = inspect(error, { depth: 9, showHidden: true });
      expect(shown, name).not.toContain(ID);
      expect(shown, name).not.toContain(TEXT);
      return error;
    }),
  );
}

/** Waits until every operation of a store serves (again). */
async function untilAllWorks(store: SessionStore): Promise<void> {
  const works = () =>
    Promise.all(Object.values(everything(store)).map((operation) => operation())).then(
      () => true,
      () => false,
    );
  await expect.poll(works, RECOVERY).toBe(true);
}
