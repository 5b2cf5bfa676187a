/** As much of the published store as is used here. Its published types want a mysql2 of their own. */
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
  ) => session.Store & { onReady(): Promise<void> };
}
