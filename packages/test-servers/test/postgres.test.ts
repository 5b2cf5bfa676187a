import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { startServer } from '../src/index.js';
import { describeOnServer } from '../src/vitest.js';
import { listens } from './helpers.js';

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

describeOnServer(
  () => startServer('postgres', { private: true, persist: true, args: ['-c', 'max_connections=17'] }),
  'a PostgreSQL server',
  (server) => {
    test('is the one that it says, with a database of its own and the arguments of its caller', async () => {
      const client = await connect(server.url);
      const { rows } = await client.query(
        "SELECT current_setting('server_version') AS version, current_database() AS db, current_setting('max_connections') AS n",
      );
      expect(rows).toEqual([{ version: expect.stringContaining(server.version), db: 'sessions', n: '17' }]);
    });

    test('keeps what it has acknowledged through a kill and a restart', async () => {
      const before = await connect(server.url);
      await before.query('CREATE TABLE numbers (n int PRIMARY KEY)');
      for (let n = 0; n < 20; n++) await before.query('INSERT INTO numbers VALUES ($1)', [n]);
      await server.restart();
      const after = await connect(server.url);
      expect((await after.query('SELECT * FROM numbers')).rows).toHaveLength(20);
    });

    test('freezes with the connections that are open, and goes on', async () => {
      const client = await connect(server.url);
      await server.pause();
      let answered = false;
      const answer = client.query('SELECT 1').then(() => {
        answered = true;
      });
      await expect(
        new Client({ connectionString: server.url, connectionTimeoutMillis: 300 }).connect(),
      ).rejects.toThrow('timeout');
      expect(answered).toBe(false);
      await server.resume();
      await answer;
    });

    test('stops also while it is paused', async () => {
      const other = await startServer('postgres', { private: true });
      await other.pause();
      await other.stop();
      expect(await listens(other.url)).toBe(false);
    });

    test('with bad arguments says what the server says', async () => {
      await expect(
        startServer('postgres', { private: true, args: ['-c', 'no_such_option=1'] }),
      ).rejects.toThrow(/ended: .*no_such_option/s);
    });
  },
);
