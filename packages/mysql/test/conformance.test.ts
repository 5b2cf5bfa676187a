import { testStore } from '@session-stores/conformance/vitest';
import { behindProxy } from '@session-stores/test-kit';
import { createPool } from 'mysql2';
import { afterAll } from 'vitest';
import { MySQLStore, type MySQLStoreOptions } from '../src/index.js';
import { lookAt, onEachServer, peerTable, uniqueTable } from './helpers.js';

onEachServer('conformance', ({ url }) => {
  const look = lookAt(url);

  /** The suite's harness for a store that is made so, on a table that is made so first. */
  const harness = (options: () => MySQLStoreOptions, make?: (table: string) => string) => async () => {
    const table = uniqueTable();
    if (make !== undefined) await look.query(make(table));
    const [limit] = await look.query('SELECT LEAST(@@max_allowed_packet, 16777215) AS bytes');
    const where = { table, ttl: 100, timeoutMs: 30_000 };
    const connect = () => new MySQLStore({ ...options(), ...where });
    return {
      store: connect(),
      connect,
      elsewhere: {
        module: new URL('fixtures/elsewhere.mjs', import.meta.url).href,
        options: { uri: url, connectionLimit: 3, ...where },
      },
      fallbackMs: 100_000,
      maxBytes: Number(limit?.['bytes']),
      cleanUp: (store: MySQLStore) => store.close(),
      async deadline(sid: string) {
        const rows = await look.query(
          `SELECT CAST(expires AS SIGNED) * 1000 - UNIX_TIMESTAMP() * 1000 - MICROSECOND(NOW(3)) DIV 1000 AS ms FROM ${table} WHERE session_id = ?`,
          [sid],
        );
        return rows[0] && Number(rows[0]['ms']);
      },
    };
  };

  const byUri = harness(() => ({ uri: url, connectionLimit: 3 }));
  testStore('MySQLStore with a uri', async () => ({
    ...(await byUri()),
    interruptible: () =>
      behindProxy(url, (uri) => new MySQLStore({ uri, table: uniqueTable(), timeoutMs: 3_000 })),
  }));

  // A pool whose settings are none that the store would choose.
  const pool = createPool({
    uri: url,
    charset: 'latin1',
    flags: ['-FOUND_ROWS'],
    rowsAsArray: false,
    dateStrings: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
    timezone: '+11:00',
  });
  afterAll(() => pool.promise().end());
  testStore(
    'MySQLStore with a pool, on the table of express-mysql-session',
    harness(() => ({ pool }), peerTable),
    // A pool reaches its server by itself.
    { unsupported: ['FAULT'] },
  );
});
