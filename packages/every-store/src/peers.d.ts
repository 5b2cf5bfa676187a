// As much of the published stores as is used here, of those that come without types. The published types of
// express-mysql-session want a mysql2 of their own.

declare module 'better-sqlite3-session-store' {
  import type { Store } from 'express-session';
  import type Libsql from 'libsql';

  export default function connect(session: {
    Store: typeof Store;
  }): new (options: {
    client: Libsql.Database;
  }) => Store;
}

declare module 'connect-mongodb-session' {
  import type { Store } from 'express-session';

  interface Options {
    uri: string;
    databaseName: string;
    collection: string;
  }

  export default function connect(session: {
    Store: typeof Store;
  }): new (
    options: Options,
    callback: (error?: Error) => void,
  ) => Store & { client: { close(): Promise<void> } };
}

declare module 'express-mysql-session' {
  import type session from 'express-session';

  interface Options {
    host: string;
    port: number;
    user: string;
    password: string;
    database: string;
    connectionLimit: number;
    schema: { tableName: string };
  }

  export default function connect(
    expressSession: typeof session,
  ): new (
    options: Options,
  ) => session.Store & { onReady(): Promise<void>; close(): Promise<void> };
}

declare module 'session-file-store' {
  import type { Store } from 'express-session';

  interface Options {
    path: string;
    logFn(message: string): void;
    /** Set by the store. */
    reapIntervalObject: NodeJS.Timeout | undefined;
  }

  export default function connect(session: { Store: typeof Store }): new (options: Options) => Store;
}
