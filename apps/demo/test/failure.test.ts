import { once } from 'node:events';
import { Agent, type ClientRequest, get } from 'node:http';
import { json } from 'node:stream/consumers';
import { type DoneCallback, StoreError } from '@session-stores/core';
import { MemoryStore } from '@session-stores/memory';
import { startServer } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { stores } from '../src/stores.js';
import { asBrowser, serve, Visitor } from './helpers.js';

const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
afterEach(() => logged.mockClear());

describeOnServer(
  () => startServer('redis', { private: true, persist: true }),
  'when Redis fails',
  (server) => {
    async function start(): Promise<Visitor> {
      const store = stores.redis.open(server.url);
      onTestFinished(() => store.close());
      const visitor = new Visitor(await serve({ store, storeName: 'redis' }));
      await visitor.login();
      return visitor;
    }

    test('pages and data say so with 503, a logout with 500, and all is well again when it is back', async () => {
      const visitor = await start();
      await server.kill();
      try {
        const page = await visitor.ask('/', { headers: asBrowser });
        expect(page.status).toBe(503);
        expect(page.text).toContain('The session store does not answer at the moment.');
        const data = await visitor.ask('/api/session');
        expect([data.status, Object.keys(Object(data.json()))]).toEqual([503, ['error']]);
        for (const { text } of [page, data])
          expect(text).not.toMatch(/node_modules|ECONN|\bat .*:\d+|127\.0\.0\.1/);

        const logout = await visitor.ask('/logout', { form: {}, headers: asBrowser });
        expect(logout.status).toBe(500);
        expect(logout.text).toContain('You may still be logged in');
        expect(visitor.jar.size).toBe(1);

        const health = await visitor.ask('/health');
        expect(health.status).toBe(503);
        expect(health.json()).toEqual({ status: 'unavailable', store: 'redis', error: 'UNAVAILABLE' });
        expect(logged).toHaveBeenCalled();
        expect(JSON.stringify(logged.mock.calls)).not.toContain(visitor.sessionId);
      } finally {
        await server.restart();
      }
      await expect.poll(async () => (await visitor.ask('/health')).status, { timeout: 5000 }).toBe(200);
      expect(await visitor.session()).toMatchObject({ user: 'alice' });
    });

    test('a slow request that began before says so as well', async () => {
      const visitor = await start();
      const slow = visitor.ask('/slow?ms=400', { json: { item: 'Late' } });
      await server.kill();
      try {
        expect((await slow).status).toBe(503);
      } finally {
        await server.restart();
      }
    });

    test('health is answered in bounded time by a Redis that hangs', async () => {
      const visitor = await start();
      await server.pause();
      try {
        const began = performance.now();
        expect((await visitor.ask('/health')).json()).toMatchObject({
          status: 'unavailable',
          error: 'TIMEOUT',
        });
        expect(performance.now() - began).toBeLessThan(3000);
      } finally {
        await server.resume();
      }
    });

    test('a damaged session is let go', async () => {
      const visitor = await start();
      const client = new Redis(server.url);
      onTestFinished(() => client.disconnect());
      await client.set(`session-stores-demo:${visitor.sessionId}`, '{', 'KEEPTTL');
      expect((await visitor.ask('/', { headers: asBrowser })).text).toContain('Your session is damaged');
      expect(await visitor.session()).toMatchObject({ views: 1, user: null });
    });
  },
);

describe('an error after the answer', () => {
  /** Fails where express-session extends a session that a request only looked at. */
  class NoTouch extends MemoryStore {
    override touch(_sid: string, _session: unknown, callback?: DoneCallback): Promise<void> {
      const error = new StoreError('no touch', { code: 'BACKEND', operation: 'touch', backend: 'memory' });
      if (callback === undefined) return Promise.reject(error);
      setImmediate(callback, error);
      return Promise.resolve();
    }
  }

  test('is logged; the answer is whole and its connection goes on', async () => {
    const visitor = new Visitor(await serve({ store: new NoTouch(), storeName: 'memory' }));
    await visitor.login('admin', 'looking-glass');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const headers = { Cookie: [...visitor.jar.values()].join() };

    const first = get(`${visitor.base}/debug/sessions`, { agent, headers });
    expect(await bodyOf(first)).toMatchObject({ count: 1 });
    await expect.poll(() => logged.mock.calls).toEqual([['GET /debug/sessions:', expect.any(StoreError)]]);

    const second = get(`${visitor.base}/health`, { agent });
    expect(await bodyOf(second)).toMatchObject({ status: 'ok' });
    expect(second.reusedSocket).toBe(true);
  });

  async function bodyOf(request: ClientRequest): Promise<unknown> {
    const [response] = await once(request, 'response');
    return json(response);
  }
});
