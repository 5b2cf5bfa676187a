import { testClients } from '@session-stores/test-kit';
import { afterAll } from 'vitest';
import { lookAt, onEachServer, open, poolOn, uniqueTable } from './helpers.js';

const NOWHERE = 'mysql://127.0.0.1:1/sessions';

onEachServer('the client', ({ url }) => {
  const look = lookAt(url);
  /** By whom the connections of a store can be told from those of others. */
  const user = uniqueTable().slice(0, 30);
  afterAll(() => look.query(`DROP USER IF EXISTS ${user}`));

  testClients({
    given() {
      const pool = poolOn(url, { connectionLimit: 2 });
      const store = open({ pool, table: uniqueTable() });
      return {
        store,
        async serves() {
          const [rows] = await pool.promise().query('SELECT 1');
          return Array.isArray(rows);
        },
      };
    },
    async opened() {
      await look.query(`CREATE USER IF NOT EXISTS ${user}`);
      await look.query(`GRANT ALL ON sessions.* TO ${user}`);
      return {
        store: open({ uri: url.replace('root@', `${user}@`), table: uniqueTable() }),
        connections: async () =>
          (await look.query('SELECT 1 FROM information_schema.processlist WHERE user = ?', [user])).length,
      };
    },
    code: {
      imports: `
        import { MySQLStore } from '${import.meta.resolve('@session-stores/mysql')}';
        import { createPool } from '${import.meta.resolve('mysql2')}';`,
      store: `new MySQLStore({ uri: '${url}', table: '${uniqueTable()}' })`,
      lost: [`new MySQLStore({ uri: '${NOWHERE}' })`, `new MySQLStore({ pool: createPool('${NOWHERE}') })`],
    },
  });
});
