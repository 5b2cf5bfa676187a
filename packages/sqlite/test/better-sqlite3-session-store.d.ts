declare module 'better-sqlite3-session-store' {
  import type { Store } from 'express-session';
  import type Libsql from 'libsql';

  export default function connect(session: {
    Store: typeof Store;
  }): new (options: {
    client: Libsql.Database;
  }) => Store;
}
