import { testStore } from '@session-stores/conformance/vitest';
import { behindProxy } from '@session-stores/test-kit';
import { Pool } from 'pg';
import { afterAll } from 'vitest';
import { PostgresStore, type PostgresStoreOptions } from '../src/index.js';
import { lookAt, onPostgres, peerTable, uniqueTable } from './helpers.js';

/** A gigabyte is none that a test can come near. */
const NO_LIMIT = { unsupported: ['DATA-025', 'DATA-026'] };

onPostgres('conformance', ({ url }) => {
  const look = lookAt(url);

  /** The suite's harness for a store that is made so, on a table that is made so first. */
  const harness = (options: () => PostgresStoreOptions, make?: (table: string) => string) => async () => {
    const table = uniqueTable();
    if (make !== undefined) await look.query(make(table));
    const where = { table, ttl: 100, timeoutMs: 30_000 };
    const connect = () => new PostgresStore({ ...options(), ...where });
    return {
      store: connect(),
      connect,
      elsewhere: {
        module: new URL('fixtures/elsewhere.mjs', import.meta.url).href,
        options: { connectionString: url, max: 3, ...where },
      },
      fallbackMs: 100_000,
      cleanUp: (store: PostgresStore) => store.close(),
      async deadline(sid: string) {
        const sql = `SELECT extract(epoch FROM expire - clock_timestamp()) * 1000 AS ms FROM ${table} WHERE sid = $1`;
        const [row] = await look.query(sql, [sid]);
        return row && Number(row['ms']);
      },
    };
  };

  const byString = harness(() => ({ connectionString: url, max: 3 }));
  testStore(
    'PostgresStore with a connection string',
    async () => ({
      ...(await byString()),
      interruptible: () =>
        behindProxy(
          url,
          (connectionString) =>
            new PostgresStore({ connectionString, table: uniqueTable(), timeoutMs: 3_000 }),
        ),
    }),
    NO_LIMIT,
  );

  // Pools whose settings are none that the store would choose.
  const settings = '-c default_transaction_isolation=serializable -c standard_conforming_strings=off';
  const pool = new Pool({ connectionString: url, options: settings, max: 20 });
  pool.on('connect', (client) => client.setTypeParser(25, () => 'no text'));
  afterAll(() => pool.end());
  testStore(
    'PostgresStore with a pool, on the table of connect-pg-simple',
    harness(() => ({ pool }), peerTable),
    // A pool reaches its server by itself.
    { unsupported: [...NO_LIMIT.unsupported, 'FAULT'] },
  );
});
