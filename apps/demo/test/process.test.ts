import { once } from 'node:events';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { startServer } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { describe, expect, onTestFinished, test } from 'vitest';
import { storeNames, stores } from '../src/stores.js';
import { cache, Demo } from './demo.js';
import { Visitor } from './helpers.js';

/** A demo that ends with the test. */
function start(env: Record<string, string>): Demo {
  const demo = new Demo(env);
  onTestFinished(() => demo.kill());
  return demo;
}

describe('the demo as a process', () => {
  const anyPort = { PORT: '0' };

  test('prints its address, store and accounts, and ends on a signal', async () => {
    const demo = start(anyPort);
    expect(await new Visitor(await demo.address()).session()).toMatchObject({ store: 'memory', views: 1 });
    expect(demo.output).toContain('alice / wonderland');
    expect(demo.output).toContain('SESSION_STORE=memory|redis|mysql|mongo');
    expect(await demo.end('SIGINT')).toBe(0);
  });

  test('is reachable from this machine alone, and in production from everywhere', async () => {
    const elsewhere = Object.values(networkInterfaces())
      .flat()
      .find((each) => each?.family === 'IPv4' && !each.internal);
    const health = async (env: Record<string, string>) => {
      const { port } = new URL(await start({ ...anyPort, ...env }).address());
      const response = await fetch(`http://${elsewhere?.address ?? '127.0.0.2'}:${port}/health`);
      return response.status;
    };
    await expect(health({})).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    expect(await health({ NODE_ENV: 'production', SESSION_SECRET: 'x' })).toBe(200);
  });

  test('answers what is in flight before it ends', async () => {
    const demo = start(anyPort);
    const visitor = new Visitor(await demo.address());
    await visitor.login();
    // The login leaves an idle connection, which must not hold up the end either.
    const slow = visitor.ask('/slow?ms=600', { json: { item: 'Late' } });
    await expect.poll(async () => (await fetch(`${visitor.base}/health`)).status).toBe(200);
    // Two signals that come together are one.
    demo.child.kill('SIGINT');
    const end = demo.end('SIGTERM');
    await expect.poll(() => demo.output).toContain('Requests still to be answered: 1.');
    await expect(fetch(`${visitor.base}/health`)).rejects.toThrow();
    expect((await slow).json()).toMatchObject({ user: 'alice', cart: ['Late'] });
    const answered = performance.now();
    expect(await end).toBe(0);
    expect(performance.now() - answered).toBeLessThan(1500);
  });

  test('ends at once on a second signal', async () => {
    const demo = start(anyPort);
    const visitor = new Visitor(await demo.address());
    const slow = visitor.ask('/slow?ms=9000', { form: {} }).catch(() => 'cut off');
    await expect.poll(async () => (await fetch(`${visitor.base}/health`)).status).toBe(200);
    demo.child.kill('SIGTERM');
    await expect.poll(() => demo.output).toContain('Requests still to be answered: 1.');
    const again = setInterval(() => demo.child.kill('SIGTERM'), 100);
    onTestFinished(() => clearInterval(again));
    const began = performance.now();
    expect(await demo.end()).toBe(1);
    expect(performance.now() - began).toBeLessThan(3000);
    expect(await slow).toBe('cut off');
  });

  test.each([
    [
      { SESSION_STORE: 'floppy' },
      'SESSION_STORE is "floppy"; it has to be one of: memory, redis, mysql, mongo, postgres, sqlite.',
    ],
    [{ PORT: 'http' }, 'PORT is "http"; it has to be a whole number from 0 to 65535.'],
    [{ PORT: '65536' }, 'PORT is "65536"; it has to be a whole number from 0 to 65535.'],
    [{ SESSION_MAX_AGE: '1h' }, 'SESSION_MAX_AGE is "1h"; it has to be a whole number from 1 to 31536000.'],
    [
      { SESSION_BIND_ADDRESS: 'yes' },
      'SESSION_BIND_ADDRESS is "yes"; it has to be one of: 1, true, 0, false.',
    ],
    [
      { NODE_ENV: 'production' },
      'SESSION_SECRET is missing; production needs a long random text that only you know.',
    ],
  ])('refuses %j in one sentence', async (env, sentence) => {
    const demo = start(env);
    expect(await demo.end()).toBe(1);
    expect(demo.output).toBe(`${sentence}\n`);
  });

  test('refuses a REDIS_URL that is none, without printing its password', async () => {
    const demo = start({ ...anyPort, SESSION_STORE: 'redis', REDIS_URL: 'http://me:swordfish@localhost' });
    expect(await demo.end()).toBe(1);
    expect(demo.output).toMatch(/^REDIS_URL cannot be used\. .*redis:\/\/.*\n$/);
    expect(demo.output).not.toContain('swordfish');
  });

  test('starts without the Redis that REDIS_URL names, and says so', async () => {
    const demo = start({
      ...anyPort,
      SESSION_STORE: 'redis',
      REDIS_URL: 'redis://me:swordfish@localhost:1',
    });
    const visitor = new Visitor(await demo.address());
    await expect.poll(() => demo.output).toContain('The store does not answer');
    expect((await visitor.ask('/health')).status).toBe(503);
    expect((await visitor.ask('/')).status).toBe(503);
    expect(await demo.end('SIGTERM')).toBe(0);
    expect(demo.output).not.toContain('swordfish');
  });

  test('takes the next port when the usual one is taken, and says so', async () => {
    const blocker = createServer().listen(3000);
    // Whoever has the port: it is taken.
    await Promise.race([once(blocker, 'listening'), once(blocker, 'error').catch(() => {})]);
    onTestFinished(() => void blocker.close());
    const demo = start({});
    const { port } = new URL(await demo.address());
    expect(Number(port)).toBeGreaterThan(3000);
    expect(demo.output).toContain(`port      ${port}, because 3000 is taken`);
    expect(await demo.end('SIGTERM')).toBe(0);
  });

  test('refuses a port that was asked for and is taken', async () => {
    const first = start(anyPort);
    const { port } = new URL(await first.address());
    const second = start({ PORT: port });
    expect(await second.end()).toBe(1);
    expect(second.output).toBe(`PORT is ${port}, and another program has it; choose another.\n`);
  });

  test('forgets its sessions with memory', async () => {
    const first = start(anyPort);
    const visitor = new Visitor(await first.address());
    await visitor.login();
    await first.end('SIGTERM');
    const second = start({ PORT: new URL(visitor.base).port });
    await second.address();
    expect(await visitor.session()).toMatchObject({ user: null, views: 1 });
  });
});

for (const name of storeNames) {
  const { label, server: wanted } = stores[name];
  if (wanted === undefined) continue;
  const { urlVariable } = wanted;

  describeOnServer(
    () => startServer(wanted.name, { private: true }),
    `the demo on ${label}, started again`,
    ({ url }) => {
      async function survives(env: Record<string, string>, signal: NodeJS.Signals): Promise<string> {
        const first = start({ PORT: '0', SESSION_STORE: name, ...env });
        const visitor = new Visitor(await first.address());
        await visitor.login();
        await visitor.ask('/cart', { form: { item: 'Teapot' } });
        await first.end(signal);
        const second = start({ PORT: new URL(visitor.base).port, SESSION_STORE: name, ...env });
        await second.address();
        expect(await visitor.session()).toMatchObject({ store: name, user: 'alice', cart: ['Teapot'] });
        expect(await second.end('SIGTERM')).toBe(0);
        return first.output;
      }

      test(`knows its visitors on the server of ${urlVariable}, also in production`, async () => {
        expect(await survives({ [urlVariable]: url }, 'SIGTERM')).not.toContain('starting');
        const first = start({
          PORT: '0',
          SESSION_STORE: name,
          [urlVariable]: url,
          NODE_ENV: 'production',
          SESSION_SECRET: 'kept by the operator',
        });
        const visitor = new Visitor(await first.address(), { 'X-Forwarded-Proto': 'https' });
        expect(first.output).not.toContain('wonderland');
        await visitor.login();
        expect(await visitor.session()).toMatchObject({ user: 'alice' });
      });

      test('knows its visitors on the server that it starts itself, even after a crash', async () => {
        const output = await survives({}, 'SIGTERM');
        expect(output).toContain(`no ${urlVariable}: starting a real ${label} for this demo`);
        expect(output).toContain(`are kept in ${join(cache, 'demo', `${name}-`)}`);
        await survives({}, 'SIGKILL');
      });
    },
  );
}

test('the demo on SQLite knows its visitors, even after a crash', async () => {
  const first = new Demo({ PORT: '0', SESSION_STORE: 'sqlite' });
  const visitor = new Visitor(await first.address());
  await visitor.login();
  await first.end('SIGKILL');
  const second = new Demo({ PORT: new URL(visitor.base).port, SESSION_STORE: 'sqlite' });
  await second.address();
  expect(await visitor.session()).toMatchObject({ store: 'sqlite', user: 'alice' });
  expect(await second.end('SIGTERM')).toBe(0);
});
