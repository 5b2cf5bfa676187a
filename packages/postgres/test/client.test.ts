import { testClients, testTwoStores } from '@session-stores/test-kit';
import { describe } from 'vitest';
import { lookAt, onPostgres, open, poolOn, uniqueTable } from './helpers.js';

const NOWHERE = "{ connectionString: 'postgres://127.0.0.1:1/sessions' }";

onPostgres('the client', ({ url }) => {
  const look = lookAt(url);

  testClients({
    given() {
      const pool = poolOn(url, { max: 2 });
      const serves = async () => (await pool.query('SELECT 1')).rowCount === 1;
      return { store: open({ pool, table: uniqueTable() }), serves };
    },
    opened() {
      const name = uniqueTable();
      return {
        store: open({ connectionString: url, application_name: name, table: name }),
        connections: async () =>
          (await look.query('SELECT FROM pg_stat_activity WHERE application_name = $1', [name])).length,
      };
    },
    code: {
      imports: `
        import { PostgresStore } from '${import.meta.resolve('@session-stores/postgres')}';
        import { Pool } from '${import.meta.resolve('pg')}';`,
      store: `new PostgresStore({ connectionString: '${url}', table: '${uniqueTable()}' })`,
      lost: [`new PostgresStore(${NOWHERE})`, `new PostgresStore({ pool: new Pool(${NOWHERE}) })`],
    },
  });

  describe('of two stores', () => {
    testTwoStores(() => {
      const table = uniqueTable();
      return (options) => open({ connectionString: url, table, ...options });
    });
  });
});
