import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BackendError, maskId, type Serializer, StoreError, type StoreErrorCode } from '../src/index.js';
import { MapBackend, plain, refused, requestFor, settled, setUp, TestStore } from './helpers.js';

async function errorOf(promise: Promise<unknown>): Promise<StoreError> {
  const error = await promise.then(
    () => new Error('it succeeded'),
    (reason: unknown) => reason,
  );
  if (!StoreError.isInstance(error)) throw error;
  return error;
}

describe('codes', () => {
  const longest = 'x'.repeat(128);

  test.each([
    ['', 'an empty one'],
    [`${longest}x`, 'one of 129'],
    ['\ud800', 'one with a lone surrogate'],
    [undefined, 'a value of type undefined'],
    [null, 'null'],
    [42, 'a value of type number'],
    [{}, 'a value of type object'],
    [['a'], 'a value of type object'],
  ])('INVALID_ID: %j reaches no backend', async (id, given) => {
    const { backend, store } = setUp();
    for (const method of ['get', 'set', 'touch', 'destroy', 'load'] as const) {
      const error = await errorOf(
        Reflect.apply(store[method], store, [id, plain()].slice(0, store[method].length - 1)),
      );
      expect(error).toMatchObject({ code: 'INVALID_ID', backend: 'map', mayHaveHappened: false });
      expect(error.message).toContain(
        `a non-empty, well-formed string of up to 128 UTF-16 units, got ${given}`,
      );
    }
    expect(backend.calls).toEqual([]);
  });

  test.each([
    longest,
    ' ',
    'A',
    'a',
    'ä',
    'a\u0308',
    '*',
    '[a]',
    "'",
    '\0',
    '\n',
    '__proto__',
    '😀',
    '../x',
    '%',
  ])('any other id is a session of its own: %j', async (id) => {
    const { store } = setUp();
    await store.set('another', plain({ n: 0 }));
    await store.set(id, plain({ n: 1 }));
    expect(await store.get(id)).toMatchObject({ n: 1 });
    await store.destroy(id);
    expect(await store.get(id)).toBeNull();
    expect(await store.length()).toBe(1);
  });

  test.each([
    [undefined, 'the session must be an object, got a value of type undefined'],
    [null, 'the session must be an object, got null'],
    ['text', 'the session must be an object, got a value of type string'],
    [[], 'the session must be an object, got an array'],
    [{}, '`cookie` must be an object, got a value of type undefined'],
    [{ cookie: null }, '`cookie` must be an object, got null'],
    [{ cookie: { expires: 'soon' } }, '`cookie.expires` must be a date'],
    [{ cookie: { expires: new Date(Number.NaN) } }, '`cookie.expires` must be a date'],
    [{ cookie: { expires: true } }, '`cookie.expires` must be a date'],
  ])('INVALID_SESSION: %j', async (session, reason) => {
    const { backend, store } = setUp();
    backend.put('a', plain({ n: 1 }));
    for (const method of ['set', 'touch'] as const) {
      const error = await errorOf(Reflect.apply(store[method], store, ['a', session]));
      expect(error).toMatchObject({ code: 'INVALID_SESSION', operation: method });
      expect(error.message).toBe(`map: ${method} of session ${maskId('a')} failed: ${reason}`);
    }
    expect(await store.get('a'), 'the old one is intact').toMatchObject({ n: 1 });
  });

  test('NOT_SERIALIZABLE: what JSON.stringify refuses', async () => {
    const { backend, store } = setUp();
    backend.put('a', plain({ n: 1 }));
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    const thrower = {
      toJSON() {
        throw new Error('no session-id-of-mine here');
      },
    };
    for (const note of [1n, circle, thrower]) {
      const error = await errorOf(store.set('session-id-of-mine', plain({ note })));
      expect(error).toMatchObject({ code: 'NOT_SERIALIZABLE', operation: 'set', mayHaveHappened: false });
      expect(inspect(error)).not.toContain('session-id-of-mine');
    }
    expect(backend.calls).toEqual([]);
  });

  test.each<StoreErrorCode & BackendError['code']>([
    'TOO_LARGE',
    'TIMEOUT',
    'UNAVAILABLE',
    'CLOSED',
    'BACKEND',
  ])('%s, as the backend says, with its cause', async (code) => {
    const { backend, store } = setUp();
    const cause = Object.assign(new RangeError('the driver says so'), {
      code: 'E_DRIVER',
      secret: 'hunter2',
    });
    backend.next('write', () => {
      throw new BackendError('the server is out of order', { code, mayHaveHappened: false, cause });
    });
    const error = await errorOf(store.set('a', plain()));
    expect(error).toMatchObject({ code, operation: 'set', backend: 'map', mayHaveHappened: false });
    expect(error.message).toBe(`map: set of session ${maskId('a')} failed: the server is out of order`);
    expect(error.cause).toMatchObject({
      name: 'RangeError',
      message: 'the driver says so',
      code: 'E_DRIVER',
    });
    expect(error.cause).not.toHaveProperty('secret');
  });

  test('a backend that knows more is believed: a change may have happened, a question never', async () => {
    const { backend, store } = setUp();
    backend.between = () => {
      throw new BackendError('gone', { code: 'UNAVAILABLE', mayHaveHappened: true });
    };
    const changed = await errorOf(store.destroy('a'));
    expect(changed).toMatchObject({
      mayHaveHappened: true,
      message: expect.stringContaining('may have taken effect'),
    });
    expect(await errorOf(store.get('a'))).toMatchObject({ mayHaveHappened: false });
  });

  test('BACKEND: any other error', async () => {
    const { backend, store } = setUp();
    backend.between = () => {
      throw new TypeError('out of order');
    };
    expect(await errorOf(store.destroy('a'))).toMatchObject({ code: 'BACKEND', mayHaveHappened: true });
    expect(await errorOf(store.get('a'))).toMatchObject({ code: 'BACKEND', mayHaveHappened: false });
    expect((await errorOf(store.get('a'))).cause).toMatchObject({
      name: 'TypeError',
      message: 'out of order',
    });
  });

  test('BACKEND: what is thrown and is no error', async () => {
    const { backend, store } = setUp({ timeoutMs: 1_000 });
    for (const thrown of [
      'text',
      undefined,
      null,
      42,
      Symbol('s'),
      Object.create(null),
      { toString: null },
    ]) {
      backend.next('read', () => Promise.reject(thrown));
      const error = await errorOf(store.get('a'));
      expect(error.code).toBe('BACKEND');
      expect(error.cause).toBeInstanceOf(Error);
    }
  });

  test('CORRUPT: text that is no session', async () => {
    const { backend, store } = setUp();
    for (const text of ['', 'nonsense', '{"cookie":', 'null', '1', '"cookie"', '[]', '{}', '{"cookie":1}']) {
      backend.put('a', text);
      for (const method of ['get', 'load'] as const) {
        expect(await errorOf(store[method]('a'))).toMatchObject({ code: 'CORRUPT', operation: 'get' });
      }
    }
  });
});

test('CLOSED, CONFLICT and TIMEOUT are errors of the same kind', async () => {
  const { backend, store } = setUp({ conflicts: 'reject', timeoutMs: 20 });
  backend.put('a', plain({ n: 1 }));
  const { session } = await requestFor(store, 'a');
  backend.put('a', plain({ n: 2 }));
  session.n = 3;
  const shape = (code: StoreErrorCode, operation: string) => ({
    name: 'StoreError',
    code,
    operation,
    backend: 'map',
    mayHaveHappened: false,
  });
  expect(await errorOf(store.set('a', session))).toMatchObject(shape('CONFLICT', 'set'));
  backend.next('read', () => new Promise(() => {}));
  expect(await errorOf(store.get('a'))).toMatchObject(shape('TIMEOUT', 'get'));
  await store.close();
  expect(await errorOf(store.get('a'))).toMatchObject(shape('CLOSED', 'get'));
});

describe('StoreError', () => {
  const error = new StoreError('m', { code: 'BACKEND', operation: 'get', backend: 'map' });

  test('is told by isInstance, also when it comes from another copy of the package', () => {
    class Foreign extends Error {}
    const foreign = Object.defineProperty(new Foreign(), Symbol.for('@session-stores/core:StoreError'), {
      value: true,
    });
    for (const yes of [error, foreign]) expect(StoreError.isInstance(yes)).toBe(true);
    for (const no of [null, undefined, 'StoreError', {}, new Error('x'), { ...error }]) {
      expect(StoreError.isInstance(no)).toBe(false);
    }
  });

  test('shows its code and operation where it is printed', () => {
    expect(inspect(error)).toMatch(/StoreError: m/);
    expect(inspect(error)).toMatch(/code: 'BACKEND'/);
    expect({ ...error }).toEqual({
      name: 'StoreError',
      code: 'BACKEND',
      operation: 'get',
      backend: 'map',
      mayHaveHappened: false,
    });
  });

  test('maskId is a short hash, the same for the same id', () => {
    expect(maskId('a')).toBe('#ca978112');
    expect(maskId('b')).not.toBe(maskId('a'));
  });
});

describe('what must not be read in an error', () => {
  /** Everything that a logger could print of an error. */
  const printed = (error: unknown) =>
    `${inspect(error, { depth: 9, showHidden: true })} ${String(error)} ${JSON.stringify(error)}`;

  // As long as session ids are, and with what is special in patterns, JSON and stack traces.
  const hostileId = fc
    .tuple(
      fc.stringMatching(/^[A-Za-z0-9_-]{16,24}$/),
      fc.constantFrom(
        '',
        '"',
        '\\',
        '$&',
        '(.*)',
        '*',
        '\n    at Object.x (y.js:1:1)',
        '{"cookie":',
        "'",
        'ü😀',
        '^[+',
      ),
      fc.stringMatching(/^[A-Za-z0-9_-]{16,24}$/),
    )
    .map((parts) => parts.join(''));
  const secretData = fc.stringMatching(/^[a-z]{24,40}$/);
  const quotes: Record<string, (secret: string) => string> = {
    whole: (secret) => `near ${secret} of the statement`,
    twice: (secret) => `${secret} and ${secret}`,
    'as JSON': (secret) => `argument ${JSON.stringify(secret)} refused`,
    'as a literal': (secret) => `argument ${inspect(secret)} refused`,
    'cut off': (secret) => `unknown command, with args beginning with: '${secret.slice(0, 30)}`,
  };

  test.each(Object.entries(quotes))(
    "neither id nor data from a driver's error that quotes them %s",
    async (_how, quote) => {
      await fc.assert(
        fc.asyncProperty(
          hostileId,
          secretData,
          fc.boolean(),
          fc.boolean(),
          async (id, secret, known, wrapped) => {
            const other: Serializer = {
              stringify: (s) => `note=${Reflect.get(s, 'note')}`,
              parse: () => ({}),
            };
            const { backend, store } = setUp({ serializer: known ? JSON : other });
            let sent = '';
            const complain = (text: string) => {
              const driver = Object.assign(new Error(`ERR ${quote(id)} ${quote(text)}`), {
                command: [id, text],
                code: { id, text },
                sql: text,
              });
              throw wrapped
                ? new BackendError(`failed: ${quote(id)} ${quote(text)}`, {
                    code: 'BACKEND',
                    mayHaveHappened: true,
                    cause: driver,
                  })
                : driver;
            };
            backend.write = (_id, text) => {
              sent = text;
              return complain(text);
            };
            backend.read = () => complain('');
            backend.remove = () => complain('');
            const session = plain({ note: secret });
            for (const call of [store.set(id, session), store.get(id), store.destroy(id)]) {
              const output = printed(await errorOf(call));
              for (const part of [id.slice(0, 16), id.slice(-16), secret.slice(0, 12)])
                expect(output).not.toContain(part);
            }
            expect(sent).toContain(secret);
          },
        ),
        { numRuns: 25 },
      );
    },
  );

  test('data from a message that names words of the session as ids', async () => {
    const { backend, store } = setUp();
    for (const id of ['cookie', 'originalMaxAge', 'expires', '"cookie":{"originalMaxAge"']) {
      backend.next('write', () => {
        throw new Error(
          `refused: {"cookie":{"originalMaxAge":null,"expires":null,"path":"/","httpOnly":true},"note":"hunter2"}`,
        );
      });
      expect(printed(await errorOf(store.set(id, plain({ note: 'hunter2' }))))).not.toContain('hunter2');
    }
  });

  test.each(['a', 'get', 'set', 'failed', 'error'])('a short id, %s, spoils no other word', async (id) => {
    const { backend, store } = setUp();
    backend.next('read', () => {
      throw new Error(`a failed get: an error of gettext for '${id}'`);
    });
    const error = await errorOf(store.get(id));
    expect(error.message).toContain('gettext');
    expect(error.message).toContain(`for '${maskId(id)}'`);
  });

  test('the stored text, when it cannot be parsed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.stringMatching(/^[a-z]{8,40}$/), fc.nat({ max: 60 }), async (secret, at) => {
        const { backend, store } = setUp();
        const text = JSON.stringify(plain({ user: secret }));
        backend.put('a', `${text.slice(0, at)}!"${secret}"!${text.slice(at)}`);
        const error = await errorOf(store.get('a'));
        expect(error.code).toBe('CORRUPT');
        for (let i = 0; i + 6 <= secret.length; i += 1)
          expect(printed(error)).not.toContain(secret.slice(i, i + 6));
      }),
    );
  });

  test('passwords in addresses', async () => {
    await fc.assert(
      fc.asyncProperty(fc.stringMatching(/^[!-~]{12,20}$/), async (password) => {
        const { backend, store } = setUp();
        backend.next('read', () => {
          throw new Error(`cannot reach redis://default:${password}@db.example.org:6379/0 today`);
        });
        const error = await errorOf(store.get('a'));
        expect(printed(error)).not.toContain(password);
        expect(error.message).toContain('@db.example.org:6379/0 today');
      }),
    );
  });

  test('ids in events and in errors of sweeps, lists and corrupt texts', async () => {
    class Sweeping extends MapBackend {
      sweep(): number {
        throw new Error('sweep failed');
      }
    }
    const backend = new Sweeping();
    const store = new TestStore(backend);
    const id = 'an-id-of-at-least-16';
    backend.put(id, 'nonsense of an-id-of-at-least-16');
    expect(await store.all()).toEqual([]);
    await errorOf(store.sweep());
    backend.between = refused;
    await errorOf(store.destroy(id));
    await settled();
    expect(store.announced).toHaveLength(3);
    expect(printed(store.announced)).not.toContain(id);
    await store.close().catch(() => {});
  });

  test("the place in the driver's code where it happened is kept", async () => {
    const { backend, store } = setUp();
    backend.next('read', function inTheDriver() {
      throw new Error('out of order');
    });
    const { cause } = await errorOf(store.get('a'));
    expect(cause instanceof Error && cause.stack).toMatch(/^Error: out of order\n {4}at .*inTheDriver/);
  });
});
