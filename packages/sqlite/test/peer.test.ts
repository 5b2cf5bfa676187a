import { promised, sessionWith, testMigration } from '@session-stores/test-kit';
import connectSqlite from 'better-sqlite3-session-store';
import session from 'express-session';
import { describe, expect, test } from 'vitest';
import { connect, open, uniqueFile } from './helpers.js';

const TheirStore = connectSqlite(session);

/** Both stores on one file, whose table one of them has made. Theirs runs on any driver with the interface of better-sqlite3. */
async function setUp(maker: 'ours' | 'theirs') {
  const file = uniqueFile();
  const ours = open({ file });
  const look = connect(file);
  if (maker === 'ours') await ours.length();
  return {
    ours,
    theirs: new TheirStore({ client: look }),
    look,
    async left(id: string) {
      const sql =
        "SELECT 1000 * (unixepoch(expire, 'subsec') - unixepoch('subsec')) FROM sessions WHERE sid = ?";
      const [row] = look.prepare(sql).raw().all(id) as [number][];
      return Number(row?.[0]);
    },
    async endIn(id: string, ms: number) {
      const expire = new Date(Date.now() + ms).toISOString();
      look.prepare('UPDATE sessions SET expire = ? WHERE sid = ?').run(expire, id);
    },
  };
}

describe.each(['ours', 'theirs'] as const)(
  'the data of better-sqlite3-session-store, in a table of %s',
  (maker) => {
    testMigration(() => setUp(maker), { countsExpired: true, listsWrong: true });

    test('is stored as it stores it', async () => {
      const { ours, theirs, look } = await setUp(maker);
      const session = { ...sessionWith({ user: 'żółć 🦊 \0', n: 1 }), nothing: undefined };
      await ours.set('a', session);
      await promised(theirs).set('b', session);
      const sql = 'SELECT sess, expire FROM sessions ORDER BY sid';
      const [mine, its] = look.prepare(sql).raw().all() as [string, string][];
      expect(JSON.parse(String(mine?.[0]))).toEqual(JSON.parse(String(its?.[0])));
      for (const expire of [mine?.[1], its?.[1]])
        expect(expire).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    });
  },
);
