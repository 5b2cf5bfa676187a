import { testStore } from '@session-stores/conformance/vitest';
import Libsql from 'libsql';
import { SQLiteStore } from '../src/index.js';
import { uniqueFile } from './helpers.js';

/** A gigabyte is none that a test can come near, and there is no server to go away. */
const NO_LIMIT_OR_SERVER = { unsupported: ['DATA-025', 'DATA-026', 'FAULT'] };

testStore(
  'SQLiteStore',
  async () => {
    const options = { file: uniqueFile(), ttl: 100, timeoutMs: 30_000 };
    const connect = () => new SQLiteStore(options);
    return {
      store: connect(),
      connect,
      elsewhere: { module: new URL('fixtures/elsewhere.mjs', import.meta.url).href, options },
      fallbackMs: 100_000,
      cleanUp: (store: SQLiteStore) => store.close(),
      async deadline(sid: string) {
        const look = new Libsql(options.file, { timeout: 1000 });
        try {
          const sql =
            "SELECT round(1000 * (unixepoch(expire, 'subsec') - unixepoch('subsec'))) FROM sessions WHERE sid = ?";
          const [row] = look.prepare(sql).raw().all(sid) as [number][];
          return row?.[0];
        } finally {
          look.close();
        }
      },
    };
  },
  NO_LIMIT_OR_SERVER,
);
