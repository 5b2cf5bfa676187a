import { caller, collect } from '@session-stores/test-kit';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { describe, expect, test } from 'vitest';
import { backendOn, connect, uniqueName } from './helpers.js';

const MINUTE = 60_000;

describeOnServer('mongo', 'the backend', ({ url }) => {
  /** Two backends on the same data, each with a client of its own. */
  function setUp() {
    const dbName = uniqueName();
    const { backend: other } = backendOn(connect(url), { dbName });
    return { ...backendOn(connect(url), { dbName }), other };
  }

  test('reads what was written, with the time that is left', async () => {
    const { backend, documents } = setUp();
    expect(await backend.read('a', caller)).toBeUndefined();
    expect(await backend.write('a', '{"n":1}', MINUTE, 'always', caller)).toBe(true);
    expect(await documents.findOne()).toEqual({ _id: 'a', session: '{"n":1}', expires: expect.any(Date) });
    const found = await backend.read('a', caller);
    expect(found?.data).toBe('{"n":1}');
    expect(found?.ttl).toBeGreaterThan(MINUTE - 2000);
    expect(found?.ttl).toBeLessThanOrEqual(MINUTE);
  });

  test('ends a session at its deadline, before the server deletes it', async () => {
    const { backend, documents } = setUp();
    await backend.write('a', 'text', 30, 'always', caller);
    await expect.poll(() => backend.read('a', caller), { timeout: 2000, interval: 5 }).toBeUndefined();
    expect(await documents.countDocuments()).toBe(1);
    expect(await backend.touch('a', MINUTE, 'set', caller)).toBe(false);
    expect(await backend.touch('a', MINUTE, 'extend', caller)).toBe(false);
    expect(await backend.write('a', 'text', MINUTE, 'exists', caller)).toBe(false);
    expect(await backend.write('a', 'text', MINUTE, { equals: 'text' }, caller)).toBe(false);
    expect(await backend.count(caller)).toBe(0);
    expect(await collect(backend.entries(caller))).toEqual([]);
    expect(await backend.remove('a', caller)).toBe(false);
    expect(await documents.countDocuments()).toBe(0);
  });

  test('stores anew what has ended', async () => {
    const { backend, documents } = setUp();
    await documents.insertOne({ _id: 'a', session: 'old', expires: new Date(Date.now() - MINUTE) });
    expect(await backend.write('a', 'new', MINUTE, 'always', caller)).toBe(true);
    expect((await backend.read('a', caller))?.data).toBe('new');
  });

  test('takes the longest lifetime that there is', async () => {
    const { backend } = setUp();
    const longest = 8.64e15 - Date.now();
    await backend.write('a', 'text', longest, 'always', caller);
    expect((await backend.read('a', caller))?.ttl).toBeGreaterThan(longest - 2000);
    await backend.write('a', 'text', MINUTE, { equals: 'text' }, caller);
    expect(await backend.touch('a', longest, 'extend', caller)).toBe(true);
    expect((await backend.read('a', caller))?.ttl).toBeGreaterThan(longest - 2000);
  });

  test("writes 'exists' only where a session is", async () => {
    const { backend } = setUp();
    expect(await backend.write('a', 'new', MINUTE, 'exists', caller)).toBe(false);
    expect(await backend.read('a', caller)).toBeUndefined();
    await backend.write('a', 'old', MINUTE, 'always', caller);
    expect(await backend.write('a', 'new', 2 * MINUTE, 'exists', caller)).toBe(true);
    const found = await backend.read('a', caller);
    expect(found?.data).toBe('new');
    expect(found?.ttl).toBeGreaterThan(MINUTE);
  });

  test.each([
    ['plain text', 'plain text'],
    ['an empty one', ''],
    ['any Unicode', 'żółć 🦊 \u0000 \r\n " \\'],
    ['a lone surrogate', '"\ud800"'],
    ['what looks like a field', '$session'],
    ['what looks like a variable', '$$ROOT'],
    ['what looks like an operator', '{"$ne":""}'],
  ])("writes 'equals' only over that text: %s", async (_, text) => {
    const { backend } = setUp();
    expect(await backend.write('a', 'new', MINUTE, { equals: text }, caller)).toBe(false);
    expect(await backend.read('a', caller)).toBeUndefined();
    await backend.write('a', text, MINUTE, 'always', caller);
    expect(await backend.write('a', 'new', MINUTE, { equals: `${text} ` }, caller)).toBe(false);
    expect((await backend.read('a', caller))?.data).toBe(text.toWellFormed());
    expect(await backend.write('a', 'new', 2 * MINUTE, { equals: text }, caller)).toBe(true);
    const found = await backend.read('a', caller);
    expect(found?.data).toBe('new');
    expect(found?.ttl).toBeGreaterThan(MINUTE);
  });

  test("moves deadlines: 'set' anywhere, 'extend' only to a later one", async () => {
    const { backend } = setUp();
    const left = async () => (await backend.read('a', caller))?.ttl;
    await backend.write('a', 'text', 10 * MINUTE, 'always', caller);
    expect(await backend.touch('a', 5 * MINUTE, 'set', caller)).toBe(true);
    expect(await left()).toBeLessThanOrEqual(5 * MINUTE);
    expect(await backend.touch('a', MINUTE, 'extend', caller)).toBe(true);
    expect(await left()).toBeGreaterThan(4 * MINUTE);
    expect(await backend.touch('a', 9 * MINUTE, 'extend', caller)).toBe(true);
    expect(await left()).toBeGreaterThan(8 * MINUTE);
    expect((await backend.read('a', caller))?.data).toBe('text');
  });

  test('never creates a session by touching it', async () => {
    const { backend, documents } = setUp();
    expect(await backend.touch('a', MINUTE, 'set', caller)).toBe(false);
    expect(await backend.touch('a', MINUTE, 'extend', caller)).toBe(false);
    expect(await documents.countDocuments()).toBe(0);
  });

  test('removes, and says whether a session was there', async () => {
    const { backend, documents } = setUp();
    await backend.write('a', 'text', MINUTE, 'always', caller);
    await documents.insertOne({ _id: 'for ever', session: 'text' });
    for (const id of ['a', 'for ever']) {
      expect(await backend.remove(id, caller)).toBe(true);
      expect(await backend.remove(id, caller)).toBe(false);
    }
    expect(await documents.countDocuments()).toBe(0);
  });

  test('takes documents without `expires` for sessions that do not end', async () => {
    const { backend, documents } = setUp();
    await documents.insertOne({ _id: 'a', session: 'text' });
    const endless = { data: 'text', ttl: Number.POSITIVE_INFINITY };
    expect(await backend.read('a', caller)).toEqual(endless);
    expect(await collect(backend.entries(caller))).toEqual([{ id: 'a', ...endless }]);
    expect(await backend.count(caller)).toBe(1);
    expect(await backend.touch('a', MINUTE, 'extend', caller)).toBe(true);
    expect(await documents.findOne()).toEqual({ _id: 'a', session: 'text' });
    expect(await backend.touch('a', MINUTE, 'set', caller)).toBe(true);
    expect((await backend.read('a', caller))?.ttl).toBeLessThanOrEqual(MINUTE);
  });

  test.each([
    ['null', null],
    ['a number', Date.now() + MINUTE],
    ['text', '2999-01-01'],
  ])('takes documents whose `expires` is %s for none, and lists the others', async (_, expires) => {
    const { backend, documents } = setUp();
    await documents.insertOne({ _id: 'a', session: 'text', expires });
    await backend.write('b', 'text', MINUTE, 'always', caller);
    expect(await backend.read('a', caller)).toBeUndefined();
    expect(await backend.count(caller)).toBe(1);
    expect((await collect(backend.entries(caller))).map(({ id }) => id)).toEqual(['b']);
  });

  test.each([
    ['none', {}],
    ['null', { session: null }],
    ['a number', { session: 1 }],
  ])('gives documents whose session is %s as text that is none, and writes over them', async (_, fields) => {
    const { backend, documents } = setUp();
    await documents.insertOne({ _id: 'a', ...fields });
    expect(JSON.parse((await backend.read('a', caller))?.data || 'null')).not.toBeTypeOf('string');
    expect(await backend.write('a', 'text', MINUTE, 'exists', caller)).toBe(true);
    expect((await backend.read('a', caller))?.data).toBe('text');
  });

  test('leaves alone what else a document holds', async () => {
    const { backend, documents } = setUp();
    const createdAt = new Date();
    await documents.insertOne({ _id: 'a', session: 'old', createdAt });
    await backend.write('a', 'new', MINUTE, 'always', caller);
    await backend.touch('a', 2 * MINUTE, 'set', caller);
    expect(await documents.findOne()).toMatchObject({ session: 'new', createdAt });
  });

  test.each([
    ['glob characters', '*?[a-z]\\'],
    ['quotes and separators', `'"\`{}();--: \r\n\t`],
    ['dollars and dots', '$where.$$NOW'],
    ['a NUL', 'a\u0000b'],
    ['trailing spaces', 'a '],
    ['upper case', 'A'],
    ['any Unicode', '🦊 żółć\u{10ffff}'],
    ['names of prototypes', '__proto__'],
    ['a number', '0'],
    ['128 units', '🦊'.repeat(64)],
  ])('takes ids of %s, and mixes them up with no other', async (_, id) => {
    const { backend, documents } = setUp();
    await backend.write('a', 'of a', MINUTE, 'always', caller);
    await backend.write(id, 'of id', MINUTE, 'always', caller);
    expect(await documents.countDocuments({ _id: id })).toBe(1);
    expect((await backend.read(id, caller))?.data).toBe('of id');
    expect((await collect(backend.entries(caller))).map((entry) => entry.id).sort()).toEqual(
      ['a', id].sort(),
    );
    expect(await backend.remove(id, caller)).toBe(true);
    expect((await backend.read('a', caller))?.data).toBe('of a');
  });

  describe('under many writes at once', () => {
    test('lets one of the conditional ones win, in every round', async () => {
      const { backend, other } = setUp();
      await backend.write('a', 'round 0', MINUTE, 'always', caller);
      for (let round = 1; round <= 20; round++) {
        const before = await backend.read('a', caller);
        const wins = await Promise.all(
          Array.from({ length: 20 }, (_, index) =>
            (index % 2 ? backend : other).write(
              'a',
              `round ${round} by ${index}`,
              MINUTE,
              { equals: before?.data ?? '' },
              caller,
            ),
          ),
        );
        expect(wins.filter(Boolean), `winners of round ${round}`).toHaveLength(1);
        expect((await other.read('a', caller))?.data).toBe(`round ${round} by ${wins.indexOf(true)}`);
      }
    });

    test('never brings a removed session back', async () => {
      const { backend, other, documents } = setUp();
      for (let round = 0; round < 20; round++) {
        await backend.write('a', 'text', MINUTE, 'always', caller);
        await Promise.all([
          ...Array.from({ length: 5 }, () => [
            other.write('a', 'late', MINUTE, 'exists', caller),
            other.write('a', 'late', MINUTE, { equals: 'text' }, caller),
            other.touch('a', MINUTE, 'extend', caller),
            other.touch('a', MINUTE, 'set', caller),
          ]).flat(),
          backend.remove('a', caller),
        ]);
        expect(await documents.countDocuments()).toBe(0);
      }
    });

    test('lets all unconditional ones through', async () => {
      const { backend, other, documents } = setUp();
      for (let round = 0; round < 20; round++) {
        const id = `id${round}`;
        const writes = Array.from({ length: 20 }, (_, index) =>
          (index % 2 ? backend : other).write(id, `by ${index}`, MINUTE, 'always', caller),
        );
        expect(new Set(await Promise.all(writes))).toEqual(new Set([true]));
      }
      expect(await documents.countDocuments()).toBe(20);
    });
  });
});
