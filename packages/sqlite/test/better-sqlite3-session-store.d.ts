declare module 'better-sqlite3-session-store' {
  import type { Store } from 'express-session';
  import type Libsql from 'libsql';

  interface Options {
    client: Libsql.Database;
    expired?: { clear: boolean; intervalMs: number };
  }

  export default function connect(session: { Store: typeof Store }): new (options: Options) => Store;
}
