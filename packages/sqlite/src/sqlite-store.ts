import {
  checkOptions,
  DEFAULT_TIMEOUT_MS,
  invalidOption,
  rule,
  SessionStore,
  type StoreOptions,
  type SweepOptions,
} from '@session-stores/core';
import { SQLiteBackend } from './sqlite-backend.js';

export interface SQLiteStoreOptions extends StoreOptions, SweepOptions {
  /** The database file, made when it is not there, in a folder that is. On a disk of this machine: network file systems cannot lock it. */
  file: string;
  /** The table's name. Default `sessions`, as better-sqlite3-session-store has it. */
  table?: string | undefined;
}

const about = { name: 'SQLiteStore', backend: 'sqlite' };

/**
 * Sessions in an SQLite file, one row each, for one server without a database. Several processes may use the file. What was acknowledged
 * survives the end of the process at any moment, and a power cut as far as the disk keeps what it has confirmed.
 */
export class SQLiteStore extends SessionStore {
  /** @throws {StoreError} `INVALID_OPTION` */
  constructor(options: SQLiteStoreOptions) {
    checkOptions(about, options, {
      file: {
        wants: 'the path of a file; for sessions in memory there is MemoryStore',
        accepts: (value) => typeof value === 'string' && /^(?!:memory:|file:)[^\0]+$/.test(value),
      },
      table: {
        wants: 'a table name',
        accepts: (value) => typeof value === 'string' && /^(?!sqlite_)[^\0]+$/i.test(value),
      },
      sweepInterval: rule.timerSeconds,
    });
    const { file, table = 'sessions', timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    if (file === undefined) throw invalidOption(about, 'give a `file`');
    super(new SQLiteBackend({ file, table, timeoutMs }), options);
  }
}
