import { promisify } from 'node:util';
import { expectToStayLoggedIn, sessionWith } from '@session-stores/test-kit';
import connectSqlite from 'better-sqlite3-session-store';
import session, { type SessionData } from 'express-session';
import { expect, test } from 'vitest';
import { connect, open, uniqueFile } from './helpers.js';

const TheirStore = connectSqlite(session);

/** Both stores on one file, whose table one of them has made. Theirs runs on any driver with the interface of better-sqlite3. */
async function setUp(maker: 'ours' | 'theirs') {
  const file = uniqueFile();
  const ours = open({ file });
  const look = connect(file);
  if (maker === 'ours') await ours.length();
  const theirs = new TheirStore({ client: look });
  const their = {
    get: promisify<string, SessionData | null | undefined>(theirs.get.bind(theirs)),
    set: promisify<string, SessionData>(theirs.set.bind(theirs)),
    destroy: promisify<string>(theirs.destroy.bind(theirs)),
  };
  return { ours, theirs, their, look };
}

/** A session as it is once stored, whatever its dates are made of. */
const plain = (value: unknown) => JSON.parse(JSON.stringify(value));

for (const maker of ['ours', 'theirs'] as const) {
  test(`what either writes is what the other reads and destroys, in a table of ${maker}`, async () => {
    const { ours, their, look } = await setUp(maker);
    const session = sessionWith({ user: 'żółć 🦊 \0', n: 1 });
    await ours.set('a', session);
    await their.set('b', session);
    expect(await their.get('a')).toEqual(plain(session));
    expect(await ours.get('b')).toMatchObject({ user: 'żółć 🦊 \0', n: 1 });
    const sql = 'SELECT sess, expire FROM sessions ORDER BY sid';
    const [mine, its] = look.prepare(sql).raw().all() as [string, string][];
    expect(JSON.parse(String(mine?.[0]))).toEqual(JSON.parse(String(its?.[0])));
    expect(String(mine?.[1])).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect((await ours.all()).map(({ id }) => id).sort()).toEqual(['a', 'b']);
    await their.destroy('a');
    await ours.destroy('b');
    expect(await ours.length()).toBe(0);
  });

  test(`a person stays logged in from one application to the other and back, in a table of ${maker}`, async () => {
    const { ours, theirs } = await setUp(maker);
    await expectToStayLoggedIn(theirs, ours, { rolling: true });
  });
}
