import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SessionStore } from '@session-stores/core';
import { MemoryStore } from '@session-stores/memory';
import { MongoStore } from '@session-stores/mongo';
import { MySQLStore } from '@session-stores/mysql';
import { PostgresStore } from '@session-stores/postgres';
import { RedisStore } from '@session-stores/redis';
import { SQLiteStore } from '@session-stores/sqlite';
import type { ServerName } from '@session-stores/test-servers';
import { ConfigError } from './config-error.js';

interface StoreKind {
  readonly label: string;
  /** What a visitor should know of it. */
  readonly about: string;
  /** Where its server comes from; a store without one needs none. */
  readonly server?: {
    readonly name: ServerName;
    /** The environment variable that says where the server is. */
    readonly urlVariable: string;
  };
  /** Its sessions are in a file, which outlives the demo. */
  readonly inFile?: true;
  open(urlOrFile: string): SessionStore;
}

/** Every store that the demo runs on. A new one is one entry. */
const table = {
  memory: {
    label: 'Memory',
    about: 'Sessions live inside the demo’s own process: nothing to install, and gone when it ends.',
    open: () => new MemoryStore(),
  },
  redis: {
    label: 'Redis',
    about: 'Sessions live in Redis: restart the demo, or run several of them, and you stay logged in.',
    server: { name: 'redis', urlVariable: 'REDIS_URL' },
    open: (url) => new RedisStore({ url, prefix: 'session-stores-demo:' }),
  },
  mysql: {
    label: 'MySQL',
    about:
      'Sessions live in a table of MySQL or MariaDB: restart the demo, or run several of them, and you stay logged in.',
    server: { name: 'mariadb', urlVariable: 'MYSQL_URL' },
    open: (uri) => new MySQLStore({ uri, table: 'session_stores_demo' }),
  },
  mongo: {
    label: 'MongoDB',
    about:
      'Sessions live in a collection of MongoDB: restart the demo, or run several of them, and you stay logged in.',
    server: { name: 'mongo', urlVariable: 'MONGO_URL' },
    open: (url) => new MongoStore({ url, collectionName: 'session-stores-demo' }),
  },
  postgres: {
    label: 'PostgreSQL',
    about:
      'Sessions live in a table of PostgreSQL: restart the demo, or run several of them, and you stay logged in.',
    server: { name: 'postgres', urlVariable: 'POSTGRES_URL' },
    open: (connectionString) => new PostgresStore({ connectionString, table: 'session_stores_demo' }),
  },
  sqlite: {
    label: 'SQLite',
    about: 'Sessions live in a file: no server, and you stay logged in when the demo starts again.',
    inFile: true,
    open: (file) => new SQLiteStore({ file }),
  },
} as const satisfies Record<string, StoreKind>;

export type StoreName = keyof typeof table;

export const stores: Readonly<Record<StoreName, StoreKind>> = table;

export function isStoreName(name: string): name is StoreName {
  return Object.hasOwn(stores, name);
}

export const storeNames: readonly StoreName[] = Object.keys(stores).filter(isStoreName);

export interface OpenStore {
  readonly store: SessionStore;
  /** Opens another one in the same place, which is the caller's to close. */
  openAnother(): SessionStore;
  /** Where the sessions are, in a few words for people. */
  readonly where: string;
  /** Closes the store, and ends the server if it was started here. */
  close(): Promise<void>;
}

/**
 * Opens a store on the server that the environment names, else on a real one that is started for it.
 *
 * @throws {ConfigError}
 * @param folder Where a file, or the data of a server that is started here, outlives it. No two processes may use one at a time.
 */
export async function openStore(
  name: StoreName,
  env: NodeJS.ProcessEnv,
  folder: string,
  log: (message: string) => void,
): Promise<OpenStore> {
  const { label, server: wanted, inFile, open } = stores[name];
  if (inFile) {
    const file = join(folder, 'sessions.db');
    await mkdir(folder, { recursive: true });
    return opened(() => open(file), `in ${file}`);
  }
  if (wanted === undefined) return opened(() => open(''), 'inside the demo’s own process');

  const { urlVariable } = wanted;
  const url = env[urlVariable];
  if (url) {
    return orConfigError(() => opened(() => open(url), `at ${hostOf(url)}`), `${urlVariable} cannot be used`);
  }

  log(`no ${urlVariable}: starting a real ${label} for this demo …`);
  // Loaded only here: with a server of its own the demo needs nothing that is made for tests.
  const { startServer, ServerUnavailableError } = await import('@session-stores/test-servers');
  const start = async () => {
    try {
      return await startServer(wanted.name, { private: true, persist: true, directory: folder, log });
    } catch (error) {
      // A container cannot keep its data in the folder, but where Docker is all there is, it is better than nothing.
      if (error instanceof ServerUnavailableError) return startServer(wanted.name, { log });
      throw error;
    }
  };
  const server = await orConfigError(start, `${urlVariable} is missing, and no server could be started`);
  const kept = server.how === 'container' ? 'end with the demo' : `are kept in ${folder}`;
  log(`started ${server.name} ${server.version} (${server.how}); its sessions ${kept}`);
  const where = `${server.name} ${server.version}, at ${hostOf(server.url)}, started by the demo`;
  return opened(
    () => open(server.url),
    where,
    () => server.stop(),
  );
}

/** The host of a URL, or the hosts: a replica set's URL names several, which `URL` does not take. */
function hostOf(url: string): string {
  return url.replace(/^[^/]*\/\/(?:[^/]*@)?/, '').replace(/[/?].*/, '');
}

async function orConfigError<T>(attempt: () => T, problem: string): Promise<Awaited<T>> {
  try {
    return await attempt();
  } catch (cause) {
    throw new ConfigError(`${problem}. ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

function opened(open: () => SessionStore, where: string, stopServer?: () => Promise<void>): OpenStore {
  const store = open();
  return {
    store,
    openAnother: open,
    where,
    async close() {
      await store.close();
      await stopServer?.();
    },
  };
}
