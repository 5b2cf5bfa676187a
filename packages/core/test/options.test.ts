import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { checkOptions, type OptionRule, rule, StoreError } from '../src/index.js';
import { MapBackend, TestStore } from './helpers.js';

const store = { name: 'TestStore', backend: 'map' };

function refusal(options: unknown, own: Record<string, OptionRule> = {}): StoreError {
  try {
    Reflect.apply(checkOptions, undefined, [store, options, own]);
  } catch (error) {
    if (StoreError.isInstance(error)) return error;
    throw error;
  }
  throw new Error('the options were accepted');
}

describe('the common options', () => {
  const bad: Record<string, unknown[]> = {
    ttl: [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '60', null, () => 60, 8.64e12 + 1],
    touchAfter: [-1, Number.NaN, '1', true, null, Number.POSITIVE_INFINITY],
    serializer: [null, {}, 'JSON', { parse() {} }, { stringify() {} }, { stringify: 1, parse: 2 }],
    conflicts: ['', 'Merge', true, null, 1],
    timeoutMs: [0, 0.5, -1, '5', null, 2 ** 31, Number.POSITIVE_INFINITY],
  };
  const good: Record<string, unknown[]> = {
    ttl: [0.001, 1, 86_400, 8.64e12],
    touchAfter: [0, 0.5, 1e9],
    serializer: [JSON, { stringify: () => '', parse: () => ({}) }],
    conflicts: ['merge', 'overwrite', 'reject'],
    timeoutMs: [1, 5_000, 2 ** 31 - 1],
  };
  const wants: Record<string, string> = {
    ttl: 'a number of seconds above 0',
    touchAfter: 'a number of seconds, 0 or more',
    serializer: 'an object with the functions stringify and parse',
    conflicts: "'merge' or 'overwrite' or 'reject'",
    timeoutMs: 'a number of milliseconds from 1 to 2147483647',
  };

  test.each(Object.keys(bad))('%s takes what it wants, and nothing else', (name) => {
    for (const value of bad[name] ?? []) {
      const error = refusal({ [name]: value });
      expect(error).toMatchObject({ code: 'INVALID_OPTION', operation: 'construct', backend: 'map' });
      expect(error.message).toContain(`TestStore: option \`${name}\` must be ${wants[name]}, got `);
    }
    for (const value of good[name] ?? []) checkOptions(store, { [name]: value }, {});
  });

  test('undefined counts as not given', async () => {
    const options = Object.fromEntries(Object.keys(bad).map((name) => [name, undefined]));
    const backend = new MapBackend();
    const store = new TestStore(backend, options);
    await store.set('a', { cookie: { originalMaxAge: null } });
    expect(backend.ttl('a')).toBeCloseTo(86_400_000, -5);
  });

  test.each([null, 'redis://host', 42, [], () => {}])('options that are no object: %o', (options) => {
    expect(refusal(options).message).toMatch(/^TestStore: the options must be an object, got /);
    expect(refusal(options).message).not.toContain('redis://host');
  });
});

describe("a store's own options", () => {
  const own = {
    prefix: rule.string,
    table: rule.nonEmptyString,
    maxSessions: rule.count,
    sweepInterval: rule.timerSeconds,
    client: rule.withMethods('a client', 'get', 'set'),
    url: { ...rule.nonEmptyString, secret: true },
  };

  test.each([
    [{ prefix: '' }, { prefix: 1 }, 'a string, got 1'],
    [{ table: 'sessions' }, { table: '' }, "a non-empty string, got ''"],
    [{ maxSessions: 1 }, { maxSessions: 0 }, 'a whole number from 1 up, got 0'],
    [{ maxSessions: 10 }, { maxSessions: 1.5 }, 'a whole number from 1 up, got 1.5'],
    [{ sweepInterval: 0.5 }, { sweepInterval: 0 }, 'a number of seconds above 0 and up to 1431655, got 0'],
    [{ sweepInterval: 1431655 }, { sweepInterval: 1431656 }, 'a number of seconds above 0 and up to 1431655'],
    [{ client: new Map() }, { client: { get() {} } }, 'a client, got a value of type object'],
    [{ client: undefined }, { client: [] }, 'a client, got an array'],
  ])('%j, but not %j', (good, wrong, message) => {
    checkOptions(store, good, own);
    expect(refusal(wrong, own).message).toContain(` must be ${message}`);
  });

  test('an unknown name is refused with a list of the known ones', () => {
    expect(refusal({ tll: 1 }, { prefix: rule.string }).message).toBe(
      'TestStore: unknown option `tll`: there are `conflicts`, `prefix`, `serializer`, `timeoutMs`, `touchAfter`, `ttl`',
    );
  });

  test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])(
    '%s is an unknown name like others',
    (name) => {
      const options = JSON.parse(`{"${name}":1}`);
      expect(refusal(options).message).toContain(`unknown option \`${name}\`: there are`);
    },
  );

  test.each([
    ['checkExpirationInterval', '`sweepInterval`, in seconds'],
    ['checkPeriod', '`sweepInterval`, in seconds'],
    ['autoRemoveInterval', '`sweepInterval`, in seconds'],
    ['expiration', '`ttl`, in seconds'],
    ['mongoUrl', '`url`'],
    ['disableTouch', '`touchAfter`, in seconds'],
    ['disableTTL', '`ttl`, in seconds'],
    ['max', '`maxSessions`'],
    ['tableName', '`table`'],
    ['collection', '`collectionName`'],
    ['createDatabaseTable', '`createTable`'],
    ['serialize', '`serializer`'],
    ['unserialize', '`serializer`'],
    ['crypto', '`serializer`'],
    ['clientPromise', '`client`'],
  ])("a published store's %s is answered with ours: %s", (name, ours) => {
    const { message } = refusal({ [name]: 1 }, own);
    expect(message).toContain(`unknown option \`${name}\`: `);
    expect(message, 'more than a list of all').not.toContain('there are');
    expect(message).toContain(ours);
  });

  test('a name that is known elsewhere can be an option here', () => {
    checkOptions(store, { schema: 'x' }, { schema: rule.string });
  });

  test.each(['', 12345678, { password: 'hunter2' }, ['hunter2'], true])(
    'a secret is not shown: %o',
    (value) => {
      const { message } = refusal({ url: value }, own);
      expect(message).toMatch(/^TestStore: option `url` must be a non-empty string, got /);
      expect(message).not.toMatch(/hunter2|12345678/);
    },
  );

  test('what an unknown option holds is not shown', () => {
    expect(inspect(refusal({ password: 'hunter2' }), { showHidden: true })).not.toContain('hunter2');
  });

  test('a long text is shown in part', () => {
    const { message } = refusal({ conflicts: 'x'.repeat(1_000) });
    expect(message.length).toBeLessThan(200);
  });
});
