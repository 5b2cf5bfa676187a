import { testStore } from '@session-stores/conformance/vitest';
import Libsql from 'libsql';
import { SQLiteStore } from '../src/index.js';
import { uniqueFile } from './helpers.js';

testStore('SQLiteStore', async () => {
  const file = uniqueFile();
  const connect = () => new SQLiteStore({ file, ttl: 100 });
  return {
    store: connect(),
    connect,
    grainMs: 1,
    fallbackMs: 100_000,
    cleanUp: (store: SQLiteStore) => store.close(),
    async deadline(sid: string) {
      const look = new Libsql(file);
      try {
        const sql =
          "SELECT 1000 * (unixepoch(expire, 'subsec') - unixepoch('subsec')) FROM sessions WHERE sid = ?";
        const [row] = look.prepare(sql).raw().all(sid) as [number][];
        return row?.[0];
      } finally {
        look.close();
      }
    },
  };
});
