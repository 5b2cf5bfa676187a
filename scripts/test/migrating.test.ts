import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { sessionWith } from '@session-stores/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Databases, describeOnDatabases } from './databases.js';
import { blocksOf, compile, modulesOf } from './docs.js';

const run = promisify(execFile);
const blocks = blocksOf('docs/migrating.md');
const diffs = blocks.filter(({ language }) => language === 'diff');
const scripts = blocks.filter(({ language }) => language === 'js');

let folder: string;
beforeAll(async () => {
  folder = await compile(diffs.flatMap(modulesOf));
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

/** A visit to the application that a module makes, with the cookie of the last one. */
async function visit(module: string, url: string, cookie: string) {
  const args = [join(folder, `${module}.mjs`), url];
  const application = fork(join(folder, 'application.mjs'), args, { execArgv: [] });
  try {
    const [port] = await Promise.race([
      once(application, 'message'),
      once(application, 'exit').then(() => expect.fail(`${module} does not run: its error is above`)),
    ]);
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { cookie } });
    return {
      seen: await response.text(),
      cookie: response.headers.getSetCookie()[0]?.split(';')[0] ?? cookie,
    };
  } finally {
    application.kill('SIGKILL');
  }
}

/** Tries each diff that leads to this package: the visits that are counted before, after, and when one goes back. */
function testDiffs(name: string, url: string, counted: string[]) {
  const those = diffs.filter(({ code }) => code.includes(`'@session-stores/${name}'`));
  test.for(those)('the diff at line $line, and back', { timeout: 120_000 }, async (block) => {
    const [before = '', after = ''] = modulesOf(block).map((module) => module.name);
    let last = '';
    const seen: string[] = [];
    for (const module of [before, after, before]) {
      const answer = await visit(module, url, last);
      last = answer.cookie;
      seen.push(answer.seen);
    }
    expect(seen).toEqual(counted);
  });
}

const names = ['redis', 'mysql', 'mongo', 'postgres', 'sqlite'] as const;

/** Tours of all databases in which each follows each other one once: five is a prime. */
const tours = [1, 2, 3, 4].map((step) => names.map((first, n) => names[(n * step) % names.length] ?? first));

describe('the code in docs/migrating.md', () => {
  testDiffs('memory', 'none:', ['1', '1', '1']);

  describeOnDatabases('with Redis', (databases) => {
    for (const name of names) testDiffs(name, databases[name].url, ['1', '2', '3']);

    test.for(tours)(
      'moves what the published stores keep: %s, %s, %s, %s, %s, and back',
      { timeout: 120_000 },
      (tour) => moves(databases, tour),
    );
  });
});

const HOUR = 3_600_000;

async function moves(databases: Databases, tour: readonly (keyof Databases)[]): Promise<void> {
  writeFileSync(join(folder, 'move.mjs'), scripts.map(({ code }) => code).join(''));
  const env = {
    REDIS_URL: databases.redis.url,
    MYSQL_URL: databases.mysql.url,
    MONGO_URL: databases.mongo.url,
    POSTGRES_URL: databases.postgres.url,
    SQLITE_FILE: fileURLToPath(databases.sqlite.url),
  };
  await Promise.all(Object.values(databases).map((database) => database.clear()));
  const start = performance.now();
  /** Sessions, and how many milliseconds they live. */
  const sessions = Object.entries({
    short: [sessionWith({ user: 'żółć 🦊', n: 1 }, HOUR), HOUR],
    long: [sessionWith({ user: "O'Brien", text: '$set' }, 1000 * HOUR), 1000 * HOUR],
    // For as long as the browser is open: what all stores have as their `ttl`.
    open: [sessionWith({ user: 'alice' }, null), 24 * HOUR],
  } as const);
  for (const [id, [session]] of sessions) await databases.redis.theirs.set(id, session);

  for (const [n, from] of tour.entries()) {
    const to = tour[n + 1] ?? 'redis';
    for (const _ of ['once', 'and again']) {
      const { stdout } = await run(process.execPath, ['move.mjs', from, to], { cwd: folder, env });
      expect(stdout).toBe('3 sessions moved, 3 are there\n');
    }
    await databases[from].clear();
    for (const [id, [session, lifetime]] of sessions) {
      expect(withoutDeadline(await databases[to].theirs.get(id))).toEqual(withoutDeadline(session));
      const left = await databases[to].left(id);
      expect(left).toBeLessThanOrEqual(lifetime);
      // MySQL rounds down to a second. Otherwise no more is gone than the time that all this took.
      expect(left).toBeGreaterThan(lifetime - 1005 - (performance.now() - start));
    }
  }
}

function withoutDeadline(session: unknown): unknown {
  return JSON.parse(JSON.stringify(session, (key, value) => (key === 'expires' ? undefined : value)));
}
