import { writeFileSync } from 'node:fs';
import { failure, sessionWith, testOptions, testTwoStores } from '@session-stores/test-kit';
import { describe, expect, test } from 'vitest';
import { SQLiteStore } from '../src/index.js';
import { connect, open, uniqueFile } from './helpers.js';

testOptions(SQLiteStore, [
  ['nothing', {}, 'give a `file`'],
  [
    'no file',
    { file: '' },
    'option `file` must be the path of a file; for sessions in memory there is MemoryStore',
  ],
  ['memory', { file: ':memory:' }, "MemoryStore, got ':memory:'"],
  ['a URL', { file: 'file:x.db' }, "MemoryStore, got 'file:x.db'"],
  ["SQLite's own table", { file: 'x', table: 'sqlite_master' }, "must be a table name, got 'sqlite_master'"],
  ['a wrong interval', { file: 'x', sweepInterval: 0 }, 'option `sweepInterval` must be a number of seconds'],
  ["the peer's client", { client: {} }, 'unknown option `client`'],
]);

describe('two stores on one file', () => {
  testTwoStores(() => {
    const file = uniqueFile();
    return (options) => open({ file, ...options });
  });
});

describe('the file', () => {
  test('is opened by the first call, not before', async () => {
    const store = open({ file: '/no/such/folder/x.db' });
    const error = await failure(store.get('session1'));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', mayHaveHappened: false });
    expect(error.message).toContain('the file cannot be opened');
  });

  test('that is no database is refused', async () => {
    const file = uniqueFile();
    writeFileSync(file, 'x'.repeat(5000));
    expect(await failure(open({ file }).get('session1'))).toMatchObject({
      code: 'BACKEND',
      message: expect.stringContaining('not a database'),
    });
  });

  test('is made by several at once', async () => {
    const file = uniqueFile();
    const stores = Array.from({ length: 6 }, () => open({ file }));
    await Promise.all(stores.map((store, n) => store.set(`id${n}`, sessionWith())));
    expect(await stores[0]?.length()).toBe(6);
  });

  test('has a table of any name, with an index on deadlines', async () => {
    const file = uniqueFile();
    const table = 'we"ird; --';
    const store = open({ file, table });
    await store.set('a', sessionWith({ user: 'alice' }));
    expect(await open({ file, table }).get('a')).toMatchObject({ user: 'alice' });
    expect(await open({ file }).length()).toBe(0);
    const plan = connect(file).prepare(`EXPLAIN QUERY PLAN SELECT sid FROM "we""ird; --" WHERE expire < 'x'`);
    expect(JSON.stringify(plan.all())).toContain('USING INDEX');
  });

  test('is written ahead, and confirmed by the disk', async () => {
    const file = uniqueFile();
    await open({ file }).set('a', sessionWith());
    expect(connect(file).pragma('journal_mode')).toEqual([{ journal_mode: 'wal' }]);
  });

  test('keeps sessions for the next store', async () => {
    const file = uniqueFile();
    const store = new SQLiteStore({ file });
    await store.set('a', sessionWith({ user: 'alice' }));
    await store.close();
    expect(await failure(store.get('a'))).toMatchObject({ code: 'CLOSED' });
    expect(await open({ file }).get('a')).toMatchObject({ user: 'alice' });
  });
});
