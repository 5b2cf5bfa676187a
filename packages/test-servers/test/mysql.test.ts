import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { expect, test } from 'vitest';
import { startServer } from '../src/index.js';
import { describeOnServer } from '../src/vitest.js';
import { listens } from './helpers.js';

async function query(url: string, sql: string): Promise<RowDataPacket[]> {
  const connection = await createConnection(url);
  try {
    const [rows] = await connection.query<RowDataPacket[]>(sql);
    return rows;
  } finally {
    await connection.end();
  }
}

for (const name of ['mariadb', 'mysql'] as const) {
  describeOnServer(
    () => startServer(name, { private: true, persist: true, args: ['--max-connections=17'] }),
    `a server of the MySQL family (${name})`,
    (server) => {
      test('is the one that it says, with a database of its own and the arguments of its caller', async () => {
        const [row] = await query(
          server.url,
          'SELECT VERSION() AS version, DATABASE() AS db, @@max_connections AS n',
        );
        expect(row?.['version']).toContain(server.version);
        expect(String(row?.['version']).includes('MariaDB')).toBe(name === 'mariadb');
        expect(row).toMatchObject({ db: 'sessions', n: 17 });
      });

      test('has a folder of its own for temporary tables', async () => {
        const [row] = await query(server.url, 'SELECT @@tmpdir AS tmpdir, @@datadir AS datadir');
        expect(String(row?.['datadir'])).toBe(`${row?.['tmpdir']}/data/`);
      });

      test('keeps what it has acknowledged through a kill and a restart', async () => {
        await query(server.url, 'CREATE TABLE numbers (n int PRIMARY KEY) ENGINE=InnoDB');
        for (let n = 0; n < 20; n++) await query(server.url, `INSERT INTO numbers VALUES (${n})`);
        await server.restart();
        expect(await query(server.url, 'SELECT * FROM numbers')).toHaveLength(20);
      });

      test('stops also while it is paused', async () => {
        const other = await startServer(name, { private: true });
        await other.pause();
        await other.stop();
        expect(await listens(other.url)).toBe(false);
      });

      test('with bad arguments says what the server says', async () => {
        await expect(startServer(name, { private: true, args: ['--no-such-option'] })).rejects.toThrow(
          /ended: .*no-such-option/s,
        );
      });
    },
  );
}
