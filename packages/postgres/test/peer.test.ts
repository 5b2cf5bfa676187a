import { promisify } from 'node:util';
import { promised, sessionWith, testMigration } from '@session-stores/test-kit';
import connectPgSimple from 'connect-pg-simple';
import session from 'express-session';
import { describe, expect, onTestFinished, test } from 'vitest';
import { lookAt, onPostgres, open, poolOn, uniqueTable } from './helpers.js';

const TheirStore = connectPgSimple(session);

onPostgres('the data of connect-pg-simple', ({ url }) => {
  const look = lookAt(url);

  /** Both stores on one table, which one of them has made, by connections in a time zone. */
  async function setUp(maker: 'ours' | 'theirs', zone: string) {
    // The name of the peer's index is the same for every table.
    const schema = uniqueTable();
    await look.query(`CREATE SCHEMA ${schema}`);
    onTestFinished(() => look.query(`DROP SCHEMA ${schema} CASCADE`).then(() => {}));
    const options = `-c TimeZone=${zone} -c search_path=${schema}`;
    const pool = poolOn(url, { options });
    const ours = open({ connectionString: url, options, ttl: 100 });
    const theirs = new TheirStore({
      pool,
      ttl: 100,
      createTableIfMissing: true,
      pruneSessionInterval: false,
    });
    await promised(maker === 'ours' ? ours : theirs).get('a');
    const row = async (id: string) => {
      const left = 'extract(epoch FROM expire - clock_timestamp())::float8 * 1000';
      const { rows } = await pool.query<{ sess: object; left: number }>(
        `SELECT sess, ${left} AS left FROM session WHERE sid = $1`,
        [id],
      );
      return rows[0];
    };
    return {
      ...{ ours, theirs, row },
      prune: promisify<void>((done) => theirs.pruneSessions(done)),
      left: async (id: string) => Number((await row(id))?.left),
      endIn: (id: string, ms: number) =>
        pool.query("UPDATE session SET expire = now() + $2 * interval '1 ms' WHERE sid = $1", [id, ms]),
    };
  }

  for (const maker of ['ours', 'theirs'] as const) {
    describe.each(['UTC', 'Pacific/Kiritimati'])(`in a table of ${maker}, %s`, (zone) => {
      testMigration(() => setUp(maker, zone));

      test('is stored as it stores it', async () => {
        const { ours, theirs, row } = await setUp(maker, zone);
        const session = { ...sessionWith({ user: 'żółć 🦊 \0', n: 1 }), nothing: undefined };
        await ours.set('ours', session);
        await promised(theirs).set('theirs', session);
        expect((await row('ours'))?.sess).toEqual((await row('theirs'))?.sess);
      });

      test('is pruned by either when it has ended, and not before', async () => {
        const { ours, theirs, row, prune, endIn } = await setUp(maker, zone);
        await ours.set('ours', sessionWith());
        await promised(theirs).set('theirs', sessionWith());
        await prune();
        expect(await ours.sweep()).toBe(0);
        expect(await ours.length()).toBe(2);
        await endIn('theirs', -2000);
        expect(await ours.sweep()).toBe(1);
        await endIn('ours', -2000);
        await prune();
        expect(await row('ours')).toBeUndefined();
      });
    });
  }
});
