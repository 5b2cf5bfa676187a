/** As much of the published store as the tests use. Its published types want a mysql2 of their own. */
declare module 'express-mysql-session' {
  import type session from 'express-session';

  interface Options {
    host: string;
    port: number;
    user: string;
    password: string;
    database: string;
    clearExpired: boolean;
    createDatabaseTable?: boolean;
    schema?: { tableName?: string; columnNames?: Record<string, string> };
  }

  interface TheirStore {
    onReady(): Promise<void>;
    close(): Promise<void>;
    get(id: string): Promise<session.SessionData | null>;
    set(id: string, data: session.SessionData): Promise<void>;
    touch(id: string, data: session.SessionData): Promise<void>;
    destroy(id: string): Promise<void>;
    length(): Promise<number>;
    all(): Promise<Record<string, session.SessionData>>;
  }

  export default function connect(
    expressSession: typeof session,
  ): new (
    options: Options,
  ) => session.Store & TheirStore;
}
