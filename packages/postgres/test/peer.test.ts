import { promisify } from 'node:util';
import { expectToStayLoggedIn, sessionWith } from '@session-stores/test-kit';
import connectPgSimple from 'connect-pg-simple';
import session, { type SessionData } from 'express-session';
import { expect, onTestFinished, test } from 'vitest';
import { lookAt, onPostgres, open, poolOn, uniqueTable } from './helpers.js';

const TheirStore = connectPgSimple(session);

/** A session as it is once stored, whatever its dates are made of. */
const plain = (value: unknown) => JSON.parse(JSON.stringify(value));

onPostgres('the layout of connect-pg-simple', ({ url }) => {
  const look = lookAt(url);

  for (const maker of ['ours', 'theirs'] as const) {
    for (const zone of ['UTC', 'Pacific/Kiritimati']) {
      const where = `in a table of ${maker}, ${zone}`;

      /** Both stores on one table, which one of them has made. */
      async function setUp() {
        const table = uniqueTable();
        const schema = uniqueTable();
        await look.query(`CREATE SCHEMA ${schema}`);
        onTestFinished(() => look.query(`DROP SCHEMA ${schema} CASCADE`).then(() => {}));
        // The name of the peer's index is the same for every table.
        const options = `-c TimeZone=${zone} -c search_path=${schema}`;
        const ours = open({ connectionString: url, options, table });
        const theirs = new TheirStore({
          pool: poolOn(url, { options }),
          tableName: table,
          createTableIfMissing: true,
          pruneSessionInterval: false,
        });
        onTestFinished(() => theirs.close());
        if (maker === 'ours') await ours.length();
        const their = {
          get: (id: string) =>
            new Promise<SessionData | null | undefined>((resolve, reject) => {
              theirs.get(id, (error, data) => (error ? reject(error) : resolve(data)));
            }),
          set: promisify<string, SessionData>(theirs.set.bind(theirs)),
          destroy: promisify<string>(theirs.destroy.bind(theirs)),
          touch: (id: string, data: SessionData) =>
            new Promise<void>((resolve) => void theirs.touch?.(id, data, () => resolve())),
          prune: promisify<void>((done) => theirs.pruneSessions(done)),
        };
        await their.get('a');
        const rows = () =>
          look.query(
            `SELECT sid, sess::text, extract(epoch FROM expire AT TIME ZONE '${zone}')::float8 AS ends FROM ${schema}.${table} ORDER BY sid`,
          );
        return { name: `${schema}.${table}`, ours, theirs, their, rows };
      }

      test(`is written as it writes it, ${where}`, async () => {
        const { ours, their, rows } = await setUp();
        const session = { ...sessionWith({ user: 'żółć 🦊 \0', n: 1 }), nothing: undefined };
        await ours.set('a', session);
        await their.set('b', session);
        const [mine, its] = await rows();
        expect(JSON.parse(String(mine?.['sess']))).toEqual(JSON.parse(String(its?.['sess'])));
        expect(Math.abs(Number(mine?.['ends']) - Number(its?.['ends']))).toBeLessThan(2);
      });

      test(`is read, touched, pruned and destroyed by it, ${where}`, async () => {
        const { name, ours, their, rows } = await setUp();
        const session = sessionWith({ user: 'alice 🦊' });
        await ours.set('a', session);
        await ours.set('b', sessionWith({ user: 'bob' }, 10_000));
        expect(await their.get('a')).toEqual(plain(session));
        await their.touch('b', session);
        await their.prune();
        expect(await rows()).toHaveLength(2);
        expect(await ours.length()).toBe(2);
        const left = Number((await ours.get('b'))?.cookie.expires) - Date.now();
        expect(left).toBeGreaterThan(30_000);
        expect(left).toBeLessThan(62_000);
        await their.destroy('a');
        expect(await ours.get('a')).toBeNull();
        await look.query(`UPDATE ${name} SET expire = expire - interval '2 minutes'`);
        await their.prune();
        expect(await rows()).toEqual([]);
      });

      test(`is read, touched, listed, swept and destroyed by us, ${where}`, async () => {
        const { name, ours, their, rows } = await setUp();
        const session = sessionWith({ user: 'alice 🦊', n: 1 });
        await their.set('a', session);
        await their.set('b', sessionWith({ user: 'bob' }));
        expect(await ours.get('a')).toMatchObject({ user: 'alice 🦊', n: 1 });
        await ours.touch('a', sessionWith({}, 1_000_000));
        expect(await their.get('a')).toMatchObject({ user: 'alice 🦊' });
        const all = await ours.all();
        expect(all.map(({ id, user }) => `${id} ${user}`).sort()).toEqual(['a alice 🦊', 'b bob']);
        expect(await ours.sweep()).toBe(0);
        await look.query(`UPDATE ${name} SET expire = expire - interval '2 minutes'`);
        expect(await ours.sweep()).toBe(1);
        expect((await rows()).map((row) => row['sid'])).toEqual(['a']);
        await ours.destroy('a');
        expect(await their.get('a')).toBeFalsy();
      });

      test(`keeps a person logged in from one application to the other and back, ${where}`, async () => {
        const { ours, theirs } = await setUp();
        await expectToStayLoggedIn(theirs, ours, { rolling: true });
      });
    }
  }
});
