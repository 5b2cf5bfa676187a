import { randomUUID } from 'node:crypto';
import { afterAll, describe, inject, test } from 'vitest';
import type { ServerName } from './recipes.js';
import { type Server, ServerUnavailableError } from './server.js';

/** The server that all tests of a run share. Keep to a prefix of your own, and do not hurt it. */
export type SharedServer = Pick<Server, 'name' | 'url' | 'version' | 'how'>;

/** What the set-up tells the test files: a server, or why there is none. */
export type Shared = SharedServer | { readonly unavailable: string };

declare module 'vitest' {
  interface ProvidedContext {
    testServers: Readonly<Partial<Record<ServerName, Shared>>>;
  }
  interface TaskMeta {
    /** Why the tests that stood here were not run. */
    notRun?: string;
  }
}

/**
 * A `describe` whose tests need a server: the shared one by its name, or one of their own by the function that starts
 * it, which is stopped after them. Where that server is not to be had, one test in their place is reported as
 * skipped, with the reason, and again when the run ends; with `REQUIRE_SERVERS=1` it fails.
 *
 *     describeOnServer('redis', 'the store', (server) => { … server.url … });
 *     describeOnServer(() => startServer('redis', { private: true }), 'the store when Redis fails', (server) => { … });
 */
export function describeOnServer(
  which: ServerName,
  title: string,
  tests: (server: SharedServer) => void | Promise<void>,
): void;
export function describeOnServer<S extends { stop(): Promise<void> }>(
  which: () => Promise<S>,
  title: string,
  tests: (server: S) => void | Promise<void>,
): void;
export function describeOnServer<S extends { stop(): Promise<void> }>(
  which: ServerName | (() => Promise<S>),
  title: string,
  tests: ((server: SharedServer) => void | Promise<void>) & ((server: S) => void | Promise<void>),
): void {
  describe(title, async () => {
    if (typeof which === 'string') {
      const shared = sharedServer(which);
      return 'unavailable' in shared ? notRun(shared.unavailable) : tests(shared);
    }
    let server: S;
    try {
      server = await which();
    } catch (error) {
      if (error instanceof ServerUnavailableError) return notRun(error.message);
      throw error;
    }
    afterAll(() => server.stop());
    return tests(server);
  });
}

/** A key prefix that nobody else has: `test:<random>:`. */
export function uniquePrefix(): string {
  return `test:${randomUUID()}:`;
}

function sharedServer(name: ServerName): Shared {
  const shared = inject('testServers')?.[name];
  if (shared !== undefined) return shared;
  throw new Error(
    `describeOnServer('${name}') wants globalSetup: ['@session-stores/test-servers/vitest-setup'] in the vitest configuration, or one with sharing('${name}')`,
  );
}

function notRun(why: string): void {
  test('not run for want of a server', ({ task, skip }) => {
    if (process.env['REQUIRE_SERVERS'] === '1') throw new Error(why);
    task.meta.notRun = why;
    skip(why);
  });
}
