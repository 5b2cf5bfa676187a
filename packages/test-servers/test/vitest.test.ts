import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startServer } from '../src/index.js';
import { describeOnServer, uniquePrefix } from '../src/vitest.js';
import { file, listens, node } from './helpers.js';

const program = join(createRequire(import.meta.url).resolve('vitest/package.json'), '../vitest.mjs');

/** Runs the sample tests as a user's `vitest run` does. */
async function run(env: NodeJS.ProcessEnv) {
  const folder = file('fixtures/run');
  const { code, output } = await node([program, 'run', '--root', folder, '--reporter', 'verbose'], {
    ...process.env,
    REDIS_URL: '',
    REQUIRE_SERVERS: '',
    NO_COLOR: '1',
    ...env,
  }).end;
  return { code, output };
}

const minute = { timeout: 60_000 };

describe('a run for which there are no servers', () => {
  const none = { PATH: '/nowhere', SERVER_WAYS: 'binary' };

  test('passes, and says loudly what was not run and why', minute, async () => {
    const { code, output } = await run(none);
    expect(code).toBe(0);
    expect(output).toMatch(/1 passed \| 2 skipped/);
    const last = output.slice(output.indexOf('NOT RUN:'));
    expect(last).toContain('- sample.spec.mjs > on the shared server');
    expect(last).toContain('- sample.spec.mjs > on a server of its own');
    expect(last).toContain('No redis server is to be had here.\n  - container: not among SERVER_WAYS');
  });

  test('fails with REQUIRE_SERVERS=1, by the name of each', minute, async () => {
    const { code, output } = await run({ ...none, REQUIRE_SERVERS: '1' });
    expect(code).toBe(1);
    expect(output).toMatch(/2 failed \| 1 passed/);
    expect(output).toMatch(/FAIL .*on the shared server > not run for want of a server/);
    expect(output).toMatch(/FAIL .*on a server of its own > not run for want of a server/);
    expect(output).toContain('binary: no redis-server on PATH');
  });
});

test('a run whose REDIS_URL does not answer fails', minute, async () => {
  const { code, output } = await run({ REDIS_URL: 'redis://:hush@127.0.0.1:1' });
  expect(code).toBe(1);
  expect(output).toContain('REDIS_URL names a server at 127.0.0.1:1');
  expect(output).not.toContain('hush');
});

test('a run without the set-up is told to add it', minute, async () => {
  const { code, output } = await run({ NO_SETUP: '1' });
  expect(code).toBe(1);
  expect(output).toContain("wants globalSetup: ['@session-stores/test-servers/vitest-setup']");
});

describeOnServer(
  () => startServer('redis', { private: true }),
  'a run with servers',
  (server) => {
    test('runs everything, and ends what it started', minute, async () => {
      const { code, output } = await run({ SERVER_WAYS: 'binary,fetched' });
      expect(output).toMatch(/3 passed/);
      expect(code).toBe(0);
      expect(output).not.toContain('NOT RUN');
      const urls = [...output.matchAll(/(?:shared|own): (?:binary|fetched) (redis:\S+)/g)].map(
        ([, url]) => url ?? '',
      );
      expect(urls).toHaveLength(2);
      for (const url of urls) expect(await listens(url)).toBe(false);
    });

    test('uses the one that REDIS_URL names, and leaves it running', minute, async () => {
      const { code, output } = await run({ REDIS_URL: server.url });
      expect(code).toBe(0);
      expect(output).toContain(`shared: url ${server.url}`);
      expect(await listens(server.url)).toBe(true);
    });
  },
);

test('prefixes are unique', () => {
  expect(uniquePrefix()).toMatch(/^test:[\w-]{36}:$/);
  expect(uniquePrefix()).not.toBe(uniquePrefix());
});
