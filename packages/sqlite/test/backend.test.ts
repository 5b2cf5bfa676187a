import { caller, type Place, testBackend, testSweep } from '@session-stores/test-kit';
import { describe } from 'vitest';
import { backendOn, connect, uniqueFile } from './helpers.js';

/** Where ISO text ends to sort. */
const LAST = Date.parse('9999-12-31T23:59:59.999Z');

/** The table of better-sqlite3-session-store. */
const THEIRS =
  'CREATE TABLE sessions (sid TEXT NOT NULL PRIMARY KEY, sess JSON NOT NULL, expire TEXT NOT NULL)';

async function place(make?: string): Promise<Place> {
  const file = uniqueFile();
  const look = connect(file);
  if (make !== undefined) look.exec(make);
  const here = backendOn(file);
  await here.count(caller);
  return {
    here,
    there: backendOn(file),
    neighbours: () => [backendOn(file, 'sessions2'), backendOn(uniqueFile())],
    records: () => look.prepare('SELECT 1 FROM sessions').all().length,
    lastDeadline: LAST,
  };
}

describe('the backend', () => {
  testBackend(place);
  testSweep(place);
});

describe('on the table of better-sqlite3-session-store', () => {
  testBackend(() => place(THEIRS));
});
