import { type SessionStore, StoreError } from '@session-stores/core';
import { MongoStore } from '@session-stores/mongo';
import { MySQLStore } from '@session-stores/mysql';
import { PostgresStore } from '@session-stores/postgres';
import { RedisStore } from '@session-stores/redis';
import { sessionWith } from '@session-stores/test-kit';
import { type ServerName, startServer } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { describe, expect, onTestFinished, test } from 'vitest';

/** What docs/choosing.md says of a server that is killed, by how it is set up. */
const setUps: Record<
  string,
  [ServerName, (url: string) => SessionStore, options: object, remembers: boolean]
> = {
  'Redis that saves every write': [
    'redis',
    (url) => new RedisStore({ url }),
    { args: ['--appendonly', 'yes', '--appendfsync', 'always'] },
    true,
  ],
  'Redis that saves none': ['redis', (url) => new RedisStore({ url }), {}, false],
  MariaDB: ['mariadb', (uri) => new MySQLStore({ uri }), { persist: true }, true],
  MySQL: ['mysql', (uri) => new MySQLStore({ uri }), { persist: true }, true],
  PostgreSQL: [
    'postgres',
    (connectionString) => new PostgresStore({ connectionString }),
    { persist: true },
    true,
  ],
  MongoDB: ['mongo', (url) => new MongoStore({ url }), {}, true],
};

describe.each(Object.entries(setUps))('%s', (_, [name, open, options, remembers]) => {
  describeOnServer(
    () => startServer(name, { private: true, ...options }),
    'when it is killed',
    (server) => {
      const opened = () => {
        const store = open(server.url);
        onTestFinished(() => store.close());
        return store;
      };

      test(`${remembers ? 'remembers' : 'forgets'} what it has acknowledged`, {
        timeout: 120_000,
      }, async () => {
        const store = opened();
        const there: string[] = [];
        const ended: string[] = [];

        /** Logs in one person after the other, and every second one out again, until the server answers no more. */
        async function people(entrance: number): Promise<void> {
          for (let n = 0; ; n++) {
            const id = `${entrance}-${n}`;
            await store.set(id, sessionWith());
            if (n % 2 === 0) there.push(id);
            else {
              await store.destroy(id);
              ended.push(id);
            }
          }
        }
        const entrances = Promise.allSettled(Array.from({ length: 16 }, (_, entrance) => people(entrance)));
        await expect.poll(() => there.length, { timeout: 60_000 }).toBeGreaterThan(300);
        await server.kill();
        for (const { reason } of (await entrances) as PromiseRejectedResult[]) {
          expect(reason).toBeInstanceOf(StoreError);
        }

        await server.restart();
        const live = new Set((await opened().all()).map(({ id }) => id));
        expect(ended.filter((id) => live.has(id))).toEqual([]);
        expect(there.filter((id) => live.has(id))).toEqual(remembers ? there : []);
      });
    },
  );
});
