import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import { afterAll, onTestFinished } from 'vitest';
import { SQLiteStore, type SQLiteStoreOptions } from '../src/index.js';
import { SQLiteBackend } from '../src/sqlite-backend.js';

const folder = mkdtempSync(join(tmpdir(), 'session-stores-sqlite-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;

/** A file that nobody else has. It goes with the tests of this file. */
export function uniqueFile(): string {
  files += 1;
  return join(folder, `${files}.db`);
}

/** A connection of the test's own, to look at a file and to hurt it. */
export function connect(file: string): Libsql.Database {
  const connection = new Libsql(file, { timeout: 1000 });
  onTestFinished(() => void connection.close());
  return connection;
}

/** A store that is closed after the test. */
export function open(options: SQLiteStoreOptions): SQLiteStore {
  const store = new SQLiteStore(options);
  onTestFinished(() => store.close());
  return store;
}

/** A backend that is closed after the test. */
export function backendOn(file: string, table = 'sessions'): SQLiteBackend {
  const backend = new SQLiteBackend({ file, table, timeoutMs: 5000 });
  onTestFinished(() => backend.close());
  return backend;
}
