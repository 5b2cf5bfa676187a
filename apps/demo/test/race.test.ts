import type { SessionStore } from '@session-stores/core';
import { MemoryStore } from '@session-stores/memory';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { stores } from '../src/stores.js';
import { asBrowser, describeEachStore, serve, Visitor } from './helpers.js';

const steps = (count: number) =>
  Array.from({ length: count }, () => ({ ms: expect.any(Number), text: expect.any(String) }));

describeEachStore('the races', (storeName, open) => {
  const start = async (openAnother = open) =>
    new Visitor(await serve({ store: open(), storeName, openAnother }));

  test('end with nothing back and nothing lost on ours, and with both on the MemoryStore', async () => {
    const visitor = await start();
    await visitor.login();
    const before = visitor.sessionId;
    const answer = await visitor.ask('/race', { json: { rounds: 3 } });
    expect(answer.status).toBe(200);
    expect(answer.json()).toEqual({
      rounds: 3,
      requestsAtOnce: 10,
      standings: [
        {
          store: expect.stringContaining('session-stores'),
          rounds: 3,
          cameBack: 0,
          added: 30,
          lost: 0,
          logout: steps(4),
          cart: steps(3),
        },
        {
          store: 'MemoryStore, express-session',
          rounds: 3,
          cameBack: 3,
          added: 30,
          lost: 27,
          logout: steps(4),
          cart: steps(3),
        },
      ],
    });
    const [ours, stock] = Object(answer.json()).standings;
    expect(ours.logout.at(-1).text).toMatch('nobody is logged in.');
    expect(stock.logout.at(-1).text).toMatch('Ada is logged in again.');
    expect(stock.cart.at(-1).text).toBe('The cart holds 1 of 10 items.');
    expect(visitor.sessionId).toBe(before);
    expect(await visitor.session()).toMatchObject({ user: 'alice', cart: [], views: 1 });
  });

  test('leave no session behind, and close the store that they opened', async () => {
    const store = open();
    const another = open();
    const close = vi.spyOn(another, 'close');
    const visitor = new Visitor(await serve({ store, storeName, openAnother: () => another }));
    const ids = vi.spyOn(another, 'set');
    await visitor.ask('/race', { form: { rounds: '1' } });
    expect(close).toHaveBeenCalledTimes(1);
    const used = new Set(ids.mock.calls.map(([id]) => id));
    expect(used.size).toBe(2);
    for (const id of used) {
      expect(id).toMatch(/^race-/);
      expect(await store.get(id)).toBeNull();
    }
  });
});

describe('the race page', () => {
  const start = async (openAnother: () => SessionStore, options = {}) => {
    const store = new MemoryStore();
    onTestFinished(() => store.close());
    return new Visitor(await serve({ store, storeName: 'memory', openAnother, ...options }));
  };
  const memory = (): SessionStore => new MemoryStore();

  test('explains, and shows what was measured', async () => {
    const visitor = await start(memory);
    const page = await visitor.ask('/race', { headers: asBrowser });
    expect(page.status).toBe(200);
    expect(page.text).toContain('name="rounds"');
    expect(page.text).not.toContain('<table');
    const result = await visitor.ask('/race', { form: { rounds: '2' }, headers: asBrowser });
    expect(result.text).toContain('<table');
    expect(result.text).toContain('value="2"');
    expect(result.text).toContain('Ada is logged in again.');
    expect((await visitor.ask('/')).text).toContain('href="/race"');
  });

  test('bounds the rounds', async () => {
    const visitor = await start(memory);
    for (const rounds of ['0', '21', '1.5', '-1', 'all', '', 0, 1e3, { $gt: 0 }]) {
      const answer = await visitor.ask('/race', { json: { rounds } });
      expect([rounds, answer.status]).toEqual([rounds, 400]);
      expect(answer.text).toContain('rounds has to be a whole number from 1 to 20, got');
    }
  });

  test('says so when the store fails, and can be run again', async () => {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
    onTestFinished(() => logged.mockRestore());
    const dead = stores.redis.open('redis://127.0.0.1:1');
    const visitor = await start(vi.fn(memory).mockReturnValueOnce(dead));
    expect((await visitor.ask('/race', { json: {} })).status).toBe(503);
    expect((await visitor.ask('/race', { json: {} })).json()).toMatchObject({ rounds: 5 });
  });

  test('runs one race at a time', async () => {
    const visitor = await start(memory);
    const race = () => visitor.copy().ask('/race', { json: { rounds: 2 } });
    const statuses = (await Promise.all([race(), race(), race()])).map(({ status }) => status);
    expect(statuses.sort()).toEqual([200, 429, 429]);
    expect((await race()).status).toBe(200);
  });

  test('is refused to other sites, and absent in production', async () => {
    const visitor = await start(memory);
    const headers = { 'Sec-Fetch-Site': 'cross-site' };
    expect((await visitor.ask('/race', { form: {}, headers })).status).toBe(403);
    const production = await start(memory, { production: true });
    expect((await production.ask('/race')).status).toBe(404);
    expect((await production.ask('/race', { form: {} })).status).toBe(404);
    expect((await production.ask('/')).text).not.toContain('/race');
  });
});
