declare module 'connect-pg-simple' {
  import type { Store } from 'express-session';
  import type { Pool } from 'pg';

  interface Options {
    pool: Pool;
    tableName: string;
    createTableIfMissing: boolean;
    pruneSessionInterval: false;
  }

  export default function connect(session: {
    Store: typeof Store;
  }): new (
    options: Options,
  ) => Store & { close(): Promise<void>; pruneSessions(callback: (error: unknown) => void): void };
}
