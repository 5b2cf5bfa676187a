import { collect, failure, serve, sessionWith } from '@session-stores/test-kit';
import { type OwnServer, startServer } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { expect, test } from 'vitest';
import { MySQLStore, type MySQLStoreOptions } from '../src/index.js';
import { connect, open, poolOn, uniqueTable } from './helpers.js';

const LIMIT = 400;
/** What a busy machine may add to a time limit. */
const MARGIN = 1000;
/** How long a store may take to come back. */
const RECOVERY = { timeout: 5000, interval: 20 };

/** Every operation, by name. */
function everything(store: MySQLStore): Record<string, () => Promise<unknown>> {
  return {
    get: () => store.get('a'),
    set: () => store.set('a', sessionWith({ text: 'after the fault' })),
    touch: () => store.touch('a', sessionWith()),
    destroy: () => store.destroy('a'),
    all: () => store.all(),
    entries: () => collect(store.entries()),
    length: () => store.length(),
    clear: () => store.clear(),
    sweep: () => store.sweep(),
  };
}

const works = (store: MySQLStore) =>
  store.set('alive', sessionWith()).then(
    () => true,
    () => false,
  );

const ways = ['uri', 'pool'] as const;

/** A store of its own connections, or on a pool that the test has. */
function openOn(how: (typeof ways)[number], { url }: OwnServer, options: Partial<MySQLStoreOptions> = {}) {
  const table = uniqueTable();
  const store = open({ ...(how === 'uri' ? { uri: url } : { pool: poolOn(url) }), table, ...options });
  return { table: options.table ?? table, store };
}

/** The ids in a table, in order. */
async function idsIn(url: string, table: string): Promise<string[]> {
  const look = connect(url);
  try {
    const rows = await look.query(`SELECT CONVERT(session_id USING utf8mb4) AS id FROM ${table}`);
    return rows.map((row) => String(row['id'])).sort();
  } finally {
    await look.end();
  }
}

for (const name of ['mariadb', 'mysql'] as const) {
  describeOnServer(
    () => startServer(name, { private: true, persist: true }),
    `a server that is killed (${name})`,
    (server) => {
      test.each(ways)('is reported at once, and served again when it is back: %s', async (how) => {
        const { store } = openOn(how, server);
        await store.set('a', sessionWith({ user: 'alice' }));
        await server.kill();
        await expect
          .poll(async () => String((await failure(store.get('a'))).cause), RECOVERY)
          .toContain('ECONNREFUSED');
        for (const [operation, call] of Object.entries(everything(store))) {
          const error = await failure(call());
          expect(error, operation).toMatchObject({ code: 'UNAVAILABLE', operation, mayHaveHappened: false });
          expect(error.cause, operation).toMatchObject({ code: 'ECONNREFUSED' });
          expect(error.after, operation).toBeLessThan(MARGIN);
        }
        await server.restart();
        await expect.poll(() => works(store), RECOVERY).toBe(true);
        expect(await store.get('a')).toMatchObject({ user: 'alice' });
        for (const call of Object.values(everything(store))) await call();
      });

      test('never gets later what was answered with an error', async () => {
        const { store, table } = openOn('uri', server);
        await store.length();
        const stored: string[] = [];
        let failed = 0;
        const write = (id: string) =>
          store.set(id, sessionWith()).then(
            () => stored.push(id),
            () => failed++,
          );
        // Some are answered before the kill, some are under way, some come after it.
        const answers: Promise<number>[] = [];
        for (let n = 0; n < 300; n++) {
          answers.push(write(`id${n}`));
          if (n === 100) answers.push(server.kill().then(() => 0));
          if (n % 10 === 0) await new Promise(setImmediate);
        }
        await Promise.all(answers);
        expect(failed).toBeGreaterThan(0);

        await server.restart();
        const there = await idsIn(server.url, table);
        expect(there).toEqual(expect.arrayContaining(stored));
        await expect.poll(() => works(store), RECOVERY).toBe(true);
        await Promise.all(Array.from({ length: 20 }, () => store.get('a')));
        expect(await idsIn(server.url, table)).toEqual(['alive', ...there].sort());
      });

      test.each(ways)('may come after the store: %s', async (how) => {
        await server.kill();
        const { store } = openOn(how, server);
        const error = await failure(store.get('a'));
        expect(error).toMatchObject({ code: 'UNAVAILABLE', mayHaveHappened: false });
        expect(error.after).toBeLessThan(MARGIN);
        await server.restart();
        await expect.poll(() => works(store), RECOVERY).toBe(true);
      });

      test('shows no password when it is down', async () => {
        await server.kill();
        const uri = server.url.replace('root@', 'someone:hush-hush@');
        const error = await failure(open({ uri }).get('a'));
        expect(`${error.stack}${JSON.stringify(error)}${error.cause}`).not.toContain('hush');
        await server.restart();
      });

      test('leaves an Express application running, which serves everybody again afterwards', async () => {
        const { store } = openOn('uri', server);
        const app = await serve(store);
        const [alice, bob] = [app.browser(), app.browser()];
        await alice.go('/login/alice');
        await bob.go('/login/bob');
        await server.kill();
        await expect.poll(async () => (await alice.go('/')).status, RECOVERY).toBe(500);
        const during = await Promise.all(Array.from({ length: 50 }, () => alice.go('/')));
        expect(new Set(during.map(({ status }) => status))).toEqual(new Set([500]));
        expect(during[0]?.body).toMatch(
          /^StoreError: mysql: get of session #\w+ failed: there is no connection/,
        );
        await server.restart();
        await expect.poll(async () => (await alice.go('/')).status, RECOVERY).toBe(200);
        const after = await Promise.all(Array.from({ length: 50 }, () => bob.go('/')));
        expect(new Set(after.map(({ status }) => status))).toEqual(new Set([200]));
        expect((await bob.go('/')).body).toMatch(/^bob /);
      });
    },
  );

  describeOnServer(
    () => startServer(name, { private: true }),
    `a server that is frozen (${name})`,
    (server) => {
      test.each(ways)(
        'is answered for within the time limit, and served again when it thaws: %s',
        async (how) => {
          const { store } = openOn(how, server, { timeoutMs: LIMIT });
          await store.set('a', sessionWith({ user: 'alice' }));
          await server.pause();
          for (const turn of ['at first', 'and later']) {
            await Promise.all(
              Object.entries(everything(store)).map(async ([operation, call]) => {
                const error = await failure(call());
                expect(['TIMEOUT', 'UNAVAILABLE'], `${operation} ${turn}`).toContain(error.code);
                expect(error.after, `${operation} ${turn}`).toBeLessThan(5 * LIMIT + MARGIN);
              }),
            );
          }
          await server.resume();
          await expect.poll(() => works(store), RECOVERY).toBe(true);
          for (const call of Object.values(everything(store))) await call();
        },
      );

      test.each(ways)('gets nothing later that was answered with an error: %s', async (how) => {
        const { store, table } = openOn(how, server, { timeoutMs: LIMIT });
        await store.set('there', sessionWith());
        // As many connections as there will be calls.
        await Promise.all(Array.from({ length: 10 }, (_, n) => store.get(`warm${n}`)));
        await server.pause();
        const calls = [
          ...Array.from({ length: 30 }, (_, n) => store.set(`late${n}`, sessionWith())),
          store.destroy('there'),
        ];
        for (const { code } of await Promise.all(calls.map(failure)))
          expect(['TIMEOUT', 'UNAVAILABLE']).toContain(code);
        await server.resume();
        await expect.poll(() => works(store), RECOVERY).toBe(true);
        await Promise.all(Array.from({ length: 20 }, () => store.get('a')));
        const look = connect(server.url);
        const others = async () =>
          (await look.query("SELECT 1 FROM information_schema.processlist WHERE command <> 'Sleep'")).length;
        await expect.poll(others, RECOVERY).toBe(1);
        await look.end();
        expect(await idsIn(server.url, table)).toEqual(['alive', 'there']);
      });

      test('gets nothing that was half sent, and keeps the old session', async () => {
        const look = connect(server.url, { connectionLimit: 1 });
        await look.query("CREATE USER IF NOT EXISTS large IDENTIFIED BY ''");
        await look.query('GRANT ALL ON sessions.* TO large');
        await look.query('SET GLOBAL max_allowed_packet = 64000000');
        const store = open({
          uri: server.url.replace('root@', 'large@'),
          table: uniqueTable(),
          connectionLimit: 1,
          timeoutMs: 4000,
        });
        await store.set('a', sessionWith({ text: 'old' }));
        await server.pause();
        const error = await failure(store.set('a', sessionWith({ text: 'x'.repeat(16_000_000) })));
        expect(['TIMEOUT', 'UNAVAILABLE']).toContain(error.code);
        await server.resume();
        const connections = async () =>
          (await look.query("SELECT 1 FROM information_schema.processlist WHERE user = 'large'")).length;
        await expect.poll(connections, RECOVERY).toBe(0);
        expect((await store.get('a'))?.text?.length).toBe(3);
        await look.end();
      });

      test('is closed without waiting for it', async () => {
        const store = new MySQLStore({ uri: server.url, table: uniqueTable(), timeoutMs: LIMIT });
        await store.length();
        await server.pause();
        const call = failure(store.get('a'));
        const start = performance.now();
        await store.close();
        expect(performance.now() - start).toBeLessThan(2 * LIMIT + MARGIN);
        expect(['TIMEOUT', 'UNAVAILABLE']).toContain((await call).code);
        await server.resume();
      });
    },
  );

  describeOnServer(
    () => startServer(name, { private: true }),
    `a server that refuses (${name})`,
    (server) => {
      test('connections that it closes cost no more than the calls under way', async () => {
        const { store } = openOn('uri', server);
        await store.length();
        const killer = connect(server.url, { connectionLimit: 1 });
        let acknowledged = 0;
        let lost = 0;
        const killAll = async () => {
          const rows = await killer.query(
            'SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID()',
          );
          for (const { id } of rows) await killer.query(`KILL ${id}`).catch(() => undefined);
        };

        /** Writes until enough was acknowledged; answers what the server may hold in the end. */
        const work = async (id: string) => {
          let possible = new Set<number | undefined>([undefined]);
          for (let n = 1, stored = 0; stored < 60; n++) {
            let answers = 0;
            await new Promise<void>((resolve) => {
              store.set(id, sessionWith({ n }), (error) => {
                answers++;
                if (error === null) {
                  stored++;
                  possible = new Set([n]);
                  if (++acknowledged % 100 === 50) void killAll();
                } else if (error.code !== 'UNAVAILABLE') throw error;
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
        for (const { id, possible } of ends) expect([...possible], id).toContain((await store.get(id))?.n);
        await killer.end();
      });

      test('idle connections that it closes cost nothing', async () => {
        const look = connect(server.url, { connectionLimit: 1 });
        await look.query("CREATE USER IF NOT EXISTS idle IDENTIFIED BY ''");
        await look.query('GRANT ALL ON sessions.* TO idle');
        const store = open({ uri: server.url.replace('root@', 'idle@'), table: uniqueTable() });
        await look.query('SET GLOBAL wait_timeout = 1');
        try {
          await Promise.all(Array.from({ length: 5 }, (_, n) => store.get(`id${n}`)));
          const idle = async () =>
            (await look.query("SELECT 1 FROM information_schema.processlist WHERE user = 'idle'")).length;
          expect(await idle()).toBeGreaterThan(0);
          await expect.poll(idle, { timeout: 10_000, interval: 50 }).toBe(0);
          await store.set('a', sessionWith({ n: 1 }));
          expect(await store.get('a')).toMatchObject({ n: 1 });
        } finally {
          await look.query('SET GLOBAL wait_timeout = 28800');
          await look.end();
        }
      });

      test('more connections than it takes is unavailable, for as long as that is so', async () => {
        const look = connect(server.url, { connectionLimit: 1 });
        await look.query("CREATE USER IF NOT EXISTS few IDENTIFIED BY ''");
        await look.query('GRANT ALL ON sessions.* TO few');
        await look.query('ALTER USER few WITH MAX_USER_CONNECTIONS 1');
        const uri = server.url.replace('root@', 'few@');
        const holder = connect(uri, { connectionLimit: 1 });
        await holder.query('SELECT 1');
        const store = open({ uri, table: uniqueTable(), connectionLimit: 1 });
        const error = await failure(store.get('a'));
        expect(error).toMatchObject({ code: 'UNAVAILABLE', mayHaveHappened: false });
        await holder.end();
        await expect.poll(() => works(store), RECOVERY).toBe(true);
        await look.end();
      });

      test('writes, being a replica now, is unavailable, and the next connection may find the primary', async () => {
        const look = connect(server.url, { connectionLimit: 1 });
        await look.query("CREATE USER IF NOT EXISTS app IDENTIFIED BY ''");
        await look.query('GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON sessions.* TO app');
        const store = open({ uri: server.url.replace('root@', 'app@'), table: uniqueTable() });
        const connections = async () =>
          (await look.query("SELECT id FROM information_schema.processlist WHERE user = 'app'")).map(
            ({ id }) => id,
          );
        await store.set('a', sessionWith({ n: 1 }));
        const before = await connections();
        await look.query('SET GLOBAL read_only = 1');
        expect(await failure(store.set('a', sessionWith()))).toMatchObject({
          code: 'UNAVAILABLE',
          mayHaveHappened: false,
        });
        expect(await store.get('a')).toMatchObject({ n: 1 });
        await expect
          .poll(async () => (await connections()).filter((id) => before.includes(id)), RECOVERY)
          .toHaveLength(before.length - 1);
        await look.query('SET GLOBAL read_only = 0');
        await store.set('a', sessionWith({ n: 2 }));
        await look.end();
      });
    },
  );
}
