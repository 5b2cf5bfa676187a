import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { cacheFolder, type ServerOptions, ServerUnavailableError, startServer } from '../src/index.js';
import { startOwn } from '../src/server.js';
import { describeOnServer } from '../src/vitest.js';
import { connect, file, listens, node, temporaryFolder } from './helpers.js';

const said: string[] = [];
const log = (message: string) => said.push(message);

beforeEach(() => {
  said.length = 0;
  vi.stubEnv('REDIS_URL', '');
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** No programs to be found but these, and an empty cache. */
async function bareMachine(): Promise<string> {
  const folder = await temporaryFolder();
  const bin = join(folder, 'bin');
  await mkdir(bin);
  for (const program of ['sh', 'rm', 'sleep']) await symlink(`/bin/${program}`, join(bin, program));
  vi.stubEnv('PATH', bin);
  vi.stubEnv('SESSION_STORES_CACHE', join(folder, 'cache'));
  return bin;
}

describe('where nothing is to be had', () => {
  test('the error says for each way why not, and what helps', async () => {
    await bareMachine();
    vi.stubEnv('SERVER_WAYS', 'binary,fetched');
    const error = await startServer('redis', { log }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ServerUnavailableError);
    expect(String(error)).toBe(
      [
        'ServerUnavailableError: No redis server is to be had here.',
        '  - container: not among SERVER_WAYS',
        '  - binary: no redis-server on PATH',
        '  - fetched: no apt-get on PATH (fetching works on Debian and Ubuntu)',
        'What helps: set REDIS_URL to one that runs, or start Docker, or install redis-server.',
      ].join('\n'),
    );
    await expect(startServer('redis', { private: true, log })).rejects.toThrow(
      'What helps: start Docker, or install redis-server.',
    );
  });

  test('a program that is there but cannot run says why', async () => {
    const bin = await bareMachine();
    await writeFile(join(bin, 'redis-server'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    await expect(startOwn('redis', ['binary'])).rejects.toThrow('binary: redis-server does not run: ');
  });

  test('a program that may not be run counts as missing', async () => {
    const bin = await bareMachine();
    await writeFile(join(bin, 'redis-server'), '', { mode: 0o644 });
    await expect(startOwn('redis', ['binary'])).rejects.toThrow('no redis-server on PATH that may be run');
  });
});

describe('bad input', () => {
  test('an unknown server', async () => {
    // @ts-expect-error: what a JavaScript caller may write
    await expect(startServer('oracle')).rejects.toThrow(
      "startServer: no server 'oracle', only mariadb, mongo, mysql, postgres, redis",
    );
  });

  test.each<ServerOptions>([{ args: [] }, { persist: true }, { directory: '/tmp' }])(
    '%o without private',
    async (options) => {
      await expect(startServer('redis', options)).rejects.toThrow('wants private: true as well');
    },
  );

  test('an unknown way', async () => {
    vi.stubEnv('SERVER_WAYS', 'binary,docker');
    await expect(startServer('redis')).rejects.toThrow(
      "SERVER_WAYS has 'docker', and takes a comma-separated list of url, container, binary, fetched",
    );
  });

  test.each(['localhost:6379', 'http://localhost', 'nonsense'])('REDIS_URL=%s', async (url) => {
    vi.stubEnv('REDIS_URL', url);
    await expect(startServer('redis')).rejects.toThrow(
      'REDIS_URL has to be a URL that starts with redis:// or rediss://',
    );
  });
});

test.each([
  [{ SESSION_STORES_CACHE: '/a', XDG_CACHE_HOME: '/b', HOME: '/c' }, '/a'],
  [{ SESSION_STORES_CACHE: '', XDG_CACHE_HOME: '/b', HOME: '/c' }, '/b/session-stores'],
  [{ SESSION_STORES_CACHE: '', XDG_CACHE_HOME: '', HOME: '/c' }, '/c/.cache/session-stores'],
])('the cache folder for %o', (env, folder) => {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  expect(cacheFolder()).toBe(folder);
});

describeOnServer(
  () => startServer('redis', { private: true }),
  'a server by URL',
  (server) => {
    test('comes first, is not hurt, and is left alone by stop', async () => {
      vi.stubEnv('REDIS_URL', server.url);
      const named = await startServer('redis');
      expect(named).toMatchObject({ name: 'redis', how: 'url', url: server.url, version: server.version });
      expect(named).not.toHaveProperty('kill');
      await named.stop();
      expect(await listens(server.url)).toBe(true);
    });

    test('is never used for a private one', async () => {
      vi.stubEnv('REDIS_URL', server.url);
      await using own = await startServer('redis', { private: true });
      expect(own.how).not.toBe('url');
      expect(own.url).not.toBe(server.url);
    });

    test('is used with its password, which no error repeats', async () => {
      await connect(server.url).config('SET', 'requirepass', 'hush-hush');
      const right = server.url.replace('//', '//:hush-hush@');
      vi.stubEnv('REDIS_URL', right);
      expect(await startServer('redis')).toMatchObject({ how: 'url', url: right, version: server.version });

      vi.stubEnv('REDIS_URL', right.replace('hush-hush', 'hush-wrong'));
      const refused = await startServer('redis').catch(String);
      expect(refused).toMatch(/REDIS_URL names a server at 127\.0\.0\.1:\d+: .*WRONGPASS/);
      expect(refused).not.toContain('hush');
    }, 15_000);

    test('that does not answer is an error, not a reason to use another', async () => {
      await using gone = await startServer('redis', { private: true });
      await gone.kill();
      vi.stubEnv('REDIS_URL', gone.url);
      await expect(startServer('redis')).rejects.toThrow(/REDIS_URL names .*ECONNREFUSED.* unset REDIS_URL/);
    }, 15_000);
  },
);

describeOnServer(
  () => startOwn('redis', ['fetched']),
  'a fetched server',
  (server) => {
    test('comes with the version it says', async () => {
      expect(server).toMatchObject({ name: 'redis', how: 'fetched' });
      expect(await connect(server.url).info('server')).toContain(`redis_version:${server.version}\r`);
    });

    test('is fetched once, says so, and leaves nothing else in the cache folder', async () => {
      const cache = await temporaryFolder();
      vi.stubEnv('SESSION_STORES_CACHE', cache);
      await using first = await startOwn('redis', ['fetched'], { log });
      expect(said).toEqual([expect.stringContaining('fetching redis-server')]);
      await using second = await startOwn('redis', ['fetched'], { log });
      expect(said).toHaveLength(1);
      expect(second.url).not.toBe(first.url);
      expect(await readdir(join(cache, 'servers'))).toEqual(['redis']);
    }, 60_000);

    test('is fetched anew when the cached one does not run', async () => {
      const cache = await temporaryFolder();
      vi.stubEnv('SESSION_STORES_CACHE', cache);
      const bin = join(cache, 'servers/redis/usr/bin');
      await mkdir(bin, { recursive: true });
      await writeFile(join(bin, 'redis-server'), '#!/bin/sh\nexit 127\n', { mode: 0o755 });
      await using _ = await startOwn('redis', ['fetched'], { log });
      expect(await readdir(join(cache, 'servers'))).toEqual(['redis']);
    }, 60_000);

    test('is fetched by several processes at once', async () => {
      const cache = await temporaryFolder();
      const env = { ...process.env, SESSION_STORES_CACHE: cache, SERVER_WAYS: 'fetched' };
      const runs = [1, 2, 3].map(() => node([file('fixtures/parent.mjs'), 'exit'], env));
      for (const run of runs) expect(JSON.parse(await run.line())).toMatchObject({ how: 'fetched' });
      for (const run of runs) await run.end;
      expect(await readdir(join(cache, 'servers'))).toEqual(['redis']);
    }, 60_000);

    test('that is found on PATH is a local binary', async () => {
      const { bin, lib } = await unpackedAt(join(cacheFolder(), 'servers/redis/usr'));
      vi.stubEnv('PATH', `${bin}:${process.env['PATH']}`);
      vi.stubEnv('LD_LIBRARY_PATH', lib);
      vi.stubEnv('SERVER_WAYS', 'binary,fetched');
      await using shared = await startServer('redis');
      await using own = await startServer('redis', { private: true });
      expect([shared.how, own.how]).toEqual(['binary', 'binary']);
    });

    test('with bad arguments says what the server says', async () => {
      await expect(
        startOwn('redis', ['fetched'], { private: true, args: ['--maxmemory', 'lots'] }),
      ).rejects.toThrow(/redis-server ended: .*argument must be a memory value/s);
    });
  },
);

async function unpackedAt(usr: string): Promise<{ bin: string; lib: string }> {
  const [architecture = ''] = await readdir(join(usr, 'lib')).then((names) =>
    names.filter((n) => n.includes('-linux-')),
  );
  return { bin: join(usr, 'bin'), lib: join(usr, 'lib', architecture) };
}
