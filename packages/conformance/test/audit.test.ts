import session from 'express-session';
import { describe, expect, test } from 'vitest';
import { audit } from '../src/audit.js';
import type { Harness } from '../src/harness.js';
import { judge, type Result } from '../src/judge.js';
import type { Level } from '../src/requirement.js';
import { requirements } from '../src/requirements/index.js';

const { MemoryStore } = session;

const fixture = (name: string) => new URL(`fixtures/${name}`, import.meta.url);

/** The results by id, shortened. */
const brief = (results: readonly Result[]) =>
  Object.fromEntries(
    results.map(({ id, status, evidence }) => [id, `${status} ${evidence.split('\n')[0]}`.trim()]),
  );

describe('a store in a process of its own', () => {
  test('may exit, be killed, block and reject: that is said of what it did it in, and of nothing else', {
    timeout: 180_000,
  }, async () => {
    const only = ['CALLBACK-007', 'CONTRACT-012', 'CONTRACT-015', 'CONTRACT-016', 'IDS-001', 'TTL-001'];
    const told: string[] = [];
    const results = await audit(fixture('unruly.mjs?length&all&clear&touch'), {
      only,
      onResult: ({ id }) => told.push(id),
    });
    expect(brief(results)).toEqual({
      'CONTRACT-012': 'fail an error escaped to the process: Error: nobody handles this',
      'CONTRACT-015': 'warn the event loop was blocked for 10000 ms',
      'CONTRACT-016': 'fail the process ended, with exit code 3',
      'TTL-001': 'pass',
      'IDS-001': 'pass',
      'CALLBACK-007': 'fail the process ended, by SIGKILL',
    });
    expect(told.sort()).toEqual(only);
  });

  test('is not accused of what nobody does by itself', { timeout: 60_000 }, async () => {
    const results = await audit(fixture('harnesses.mjs?second%20store'), { only: ['IDS-001', 'IDS-002'] });
    expect(Object.values(brief(results))).toContain(
      'inconclusive only beside others: an error escaped to the process: Error: two are too many',
    );
  });

  test('is not judged when it cannot be made', async () => {
    await expect(audit(fixture('harnesses.mjs?no%20function'))).rejects.toThrow(
      /default export has to be a function that returns a store, and is MemoryStore/,
    );
    await expect(audit(fixture('nothing.mjs'))).rejects.toThrow(/nothing\.mjs/);
  });
});

describe('a store in this process', () => {
  const quick = { only: ['CALLBACK-002', 'CONTRACT-012', 'CONTRACT-016', 'IDS-001'], limitMs: 4_000 };

  test('may hang, reject and answer twice', { timeout: 60_000 }, async () => {
    class Unruly extends MemoryStore {
      override length() {}
      override touch(...[, , callback]: Parameters<session.MemoryStore['touch']>) {
        setImmediate(callback ?? (() => {}));
        Promise.reject(new Error('nobody handles this'));
      }
      override set(...[sid, data, callback]: Parameters<session.MemoryStore['set']>) {
        super.set(sid, data, callback);
        super.set(sid, data, callback);
      }
    }
    expect(brief(await audit(() => new Unruly(), quick))).toEqual({
      'CONTRACT-012': 'fail an error escaped to the process: Error: nobody handles this',
      'CONTRACT-016': 'fail the requirement was not done within 4000 ms',
      'IDS-001': 'pass',
      'CALLBACK-002': 'fail set called back 2 times',
    });
  });

  test('that never answers get fails, where there was a time to be kept too', {
    timeout: 120_000,
  }, async () => {
    class Deaf extends MemoryStore {
      override get() {}
    }
    const silent = 'fail who got no answer within 30000 ms';
    expect(brief(await audit(() => new Deaf(), { only: ['TTL-002', 'HTTP-009', 'HTTP-010'] }))).toEqual({
      'TTL-002': 'fail get did not call back within 20000 ms',
      'HTTP-009': silent,
      'HTTP-010': silent,
    });
  });

  test('may keep for ever what has ended', async () => {
    class Eternal extends MemoryStore {
      readonly kept = new Map<string, session.SessionData>();
      override set(...[sid, data, callback]: Parameters<session.MemoryStore['set']>) {
        this.kept.set(sid, data);
        super.set(sid, data, callback);
      }
      override get(...[sid, callback]: Parameters<session.MemoryStore['get']>) {
        setImmediate(callback, null, this.kept.get(sid));
      }
    }
    expect(brief(await audit(() => new Eternal(), { only: ['TTL-002'] }))).toEqual({
      'TTL-002': expect.stringMatching(/^fail after \d+ ms still not so: the session has ended$/),
    });
  });

  test('is not judged when the harness hangs, throws, or makes none', async () => {
    const only = ['CONTRACT-001'];
    const outcome = async (harness: Harness<session.MemoryStore>) =>
      brief(await audit(harness, { only, limitMs: 2_000 }))['CONTRACT-001'];
    const never = () => new Promise<never>(() => {});
    expect(await outcome(never)).toBe('error the harness was not done within 2000 ms');
    expect(await outcome(() => Promise.reject(new Error('no server')))).toBe('error Error: no server');
    expect(await outcome(() => JSON.parse('null'))).toBe(
      'error TypeError: the harness has to return a store, or { store, … }, and returned null',
    );
    const misspelt = { store: new MemoryStore(), fallbackMS: 1, CleanUp: never };
    expect(await outcome(() => misspelt)).toBe(
      'error TypeError: the harness may have store, connect, elsewhere, interruptible, deadline, cleanUp, ' +
        'capabilities, expiryLagMs, maxBytes, fallbackMs, and has fallbackMS, CleanUp',
    );
    expect(await outcome(() => JSON.parse('{ "store": {}, "capabilities": { "grain": 1 } }'))).toBe(
      "error TypeError: the harness's capabilities may have shared, nativeExpiry, grainMs, and has grain",
    );
    expect(await outcome(() => ({ store: new MemoryStore(), cleanUp: never }))).toBe(
      'error the clean-up was not done within 2000 ms',
    );
  });

  test('may have a property that is called store', async () => {
    class WithStore extends MemoryStore {
      readonly store = new Map();
    }
    expect(brief(await audit(() => new WithStore(), { only: ['IDS-001'] }))).toEqual({ 'IDS-001': 'pass' });
  });

  test('may say more of itself than the suite asks', async () => {
    class Talkative extends MemoryStore {
      readonly capabilities = { grainMs: 1, atomic: true };
    }
    const harness = () => ({ store: new Talkative() });
    expect(brief(await audit(harness, { only: ['IDS-001'] }))).toEqual({ 'IDS-001': 'pass' });
  });
});

test('what is not judged says what in the harness would let it be', async () => {
  const means = {
    'CAPABILITY-001': '`capabilities.shared`',
    'DATA-025': '`maxBytes`',
    'FAULT-001': '`interruptible`',
    'ISOLATION-009': '`connect`',
    'RACE-023': '`elsewhere`',
    'TTL-009': '`fallbackMs`',
    'TTL-023': '`deadline`',
  };
  const results = await audit(() => new MemoryStore(), { only: Object.keys(means) });
  const named = results.map(({ id, evidence }) => [id, /\((.*)\)$/.exec(evidence)?.[1]]);
  expect(Object.fromEntries(named)).toEqual(means);
});

test('a level leaves out what binds less', async () => {
  const only = ['CONTRACT-013', 'CONTRACT-014', 'CONTRACT-015'];
  const ids = async (level: Level) =>
    (await audit(() => new MemoryStore(), { level, only })).map(({ id }) => id);
  expect(await ids('MUST')).toEqual(['CONTRACT-013']);
  expect(await ids('SHOULD')).toEqual(['CONTRACT-013', 'CONTRACT-014']);
  expect(await ids('MAY')).toEqual(['CONTRACT-013', 'CONTRACT-014', 'CONTRACT-015']);
});

test.each([
  [{ only: ['TTL-999'] }, 'there is no requirement TTL-999, nor a group of that name'],
  [{ level: JSON.parse('"must"') }, 'level has to be one of MUST, SHOULD, MAY, not must'],
  [{ abreast: 0 }, 'abreast has to be a number from 1 up, not 0'],
  [{ limitMs: Number.NaN }, 'limitMs has to be a number from 1 up, not NaN'],
])('options that are wrong are refused: %j', async (options, message) => {
  await expect(audit(() => new MemoryStore(), options)).rejects.toThrow(new TypeError(message));
});

test('what is not met is a failure of a MUST, and else a warning', async () => {
  class Silent extends MemoryStore {
    override all() {}
  }
  const [must, should] = ['CALLBACK-005', 'CONTRACT-014'].map((id) =>
    requirements.find((each) => each.id === id),
  );
  const both = [must, should].map((each) => each && judge(each, () => new Silent(), 200));
  const [fail, warn] = await Promise.all(both);
  expect([fail?.status, warn?.status]).toEqual(['fail', 'warn']);
});
