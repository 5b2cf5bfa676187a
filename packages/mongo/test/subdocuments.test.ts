import { caller, collect } from '@session-stores/test-kit';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { Binary, Decimal128, Double, Int32, Long, ObjectId } from 'mongodb';
import { expect, test } from 'vitest';
import { backendOn, connect } from './helpers.js';

const MINUTE = 60_000;

/** What connect-mongo stores with `stringify: false`, and what an application may have put into it. */
const cookie = {
  originalMaxAge: MINUTE,
  partitioned: null,
  priority: null,
  expires: new Date('2030-01-02T03:04:05.678Z'),
  secure: null,
  httpOnly: true,
  domain: null,
  path: '/',
  sameSite: null,
};

describeOnServer('mongo', 'a session that is kept as a subdocument', ({ url }) => {
  async function setUp(session: object) {
    const given = backendOn(connect(url));
    const { backend, documents } = given;
    await documents.insertOne({ _id: 'a', session, expires: new Date(Date.now() + MINUTE) });
    const text = async () => (await backend.read('a', caller))?.data ?? '';
    return { ...given, text, session: async () => (await documents.findOne())?.['session'] };
  }

  test('is read and listed as its JSON', async () => {
    const { backend, text } = await setUp({ cookie, n: 1 });
    expect(JSON.parse(await text())).toEqual(JSON.parse(JSON.stringify({ cookie, n: 1 })));
    const [entry] = await collect(backend.entries(caller));
    expect(entry).toMatchObject({ id: 'a', data: await text() });
  });

  test.each(['always', 'exists', 'equals'] as const)(
    "keeps its form when it is written '%s'",
    async (how) => {
      const { backend, text, session } = await setUp({ cookie, n: 1 });
      const when = how === 'equals' ? { equals: await text() } : how;
      const expires = new Date('2031-01-02T03:04:05.678Z');
      const changed = JSON.stringify({ cookie: { ...cookie, expires }, n: 2, added: { 'a.b': '$c' } });
      expect(await backend.write('a', changed, 2 * MINUTE, when, caller)).toBe(true);
      expect(await session()).toEqual({ cookie: { ...cookie, expires }, n: 2, added: { 'a.b': '$c' } });
      const found = await backend.read('a', caller);
      expect(found?.data).toBe(changed);
      expect(found?.ttl).toBeGreaterThan(MINUTE);
    },
  );

  test("is written 'equals' only over that text", async () => {
    const { backend, text, session } = await setUp({ cookie, n: 1 });
    const before = await text();
    expect(await backend.write('a', '{"n":2}', MINUTE, { equals: `${before} ` }, caller)).toBe(false);
    expect(await session()).toEqual({ cookie, n: 1 });
    expect(await backend.write('a', '{"n":2}', MINUTE, { equals: before }, caller)).toBe(true);
    expect(await backend.write('a', '{"n":3}', MINUTE, { equals: before }, caller)).toBe(false);
    expect(await session()).toEqual({ n: 2 });
  });

  test('is not written, and not made, once it has ended', async () => {
    const { backend, documents, text } = await setUp({ cookie });
    const before = await text();
    await documents.updateOne({ _id: 'a' }, { $set: { expires: new Date(0) } });
    for (const when of ['exists', { equals: before }] as const) {
      expect(await backend.write('a', '{}', MINUTE, when, caller)).toBe(false);
    }
    expect(await backend.touch('a', MINUTE, 'set', caller)).toBe(false);
    await documents.deleteOne({ _id: 'a' });
    for (const when of ['exists', { equals: before }] as const) {
      expect(await backend.write('a', '{}', MINUTE, when, caller)).toBe(false);
    }
    expect(await documents.countDocuments()).toBe(0);
  });

  test.each([
    ['dates', { since: new Date(), list: [new Date(0), { at: new Date(1) }] }],
    ['whole numbers and fractions', { i: new Int32(1), f: 0.1 }],
    ['numbers beyond what JavaScript counts', { l: Long.MAX_VALUE, d: Decimal128.fromString('0.1') }],
    ['ids and bytes', { id: new ObjectId(), bytes: new Binary(Buffer.from('bytes')) }],
    ['nothing', { nothing: null, empty: {}, list: [] }],
    ['strange keys', { 'a.b': 1, $c: { $d: 1 }, '': 2, 10: 1, 9: 2, constructor: 'x', ['__proto__']: {} }],
  ])('of %s is compared as a whole, and what did not change keeps its type', async (_, data) => {
    const { backend, text, documents } = await setUp({ cookie, ...data });
    const types = () =>
      documents
        .aggregate([
          {
            $project: {
              types: {
                $map: {
                  input: { $objectToArray: '$session' },
                  in: { k: '$$this.k', t: { $type: '$$this.v' } },
                },
              },
            },
          },
        ])
        .next();
    const before = await types();
    const stored = await text();
    const changed = JSON.stringify({ ...JSON.parse(stored), cookie: { ...cookie, path: '/app' } });
    expect(await backend.write('a', changed, MINUTE, { equals: stored }, caller)).toBe(true);
    expect(await text()).toBe(changed);
    expect(await types()).toEqual(before);
  });

  test('is compared by its numbers, whatever they are kept as', async () => {
    const { backend, text, session } = await setUp({
      d: new Double(1),
      l: Long.fromNumber(5),
      z: new Double(-0),
    });
    const equals = await text();
    expect(equals).toBe('{"d":1,"l":5,"z":0}');
    expect(await backend.write('a', '{"d":1,"l":6}', MINUTE, { equals }, caller)).toBe(true);
    expect(await session()).toEqual({ d: 1, l: 6 });
  });

  test('is not changed to what no document can hold', async () => {
    const { backend, session } = await setUp({ cookie });
    const call = backend.write('a', JSON.stringify({ 'a\u0000b': 1 }), MINUTE, 'exists', caller);
    await expect(call).rejects.toMatchObject({ code: 'BACKEND', mayHaveHappened: false });
    expect(await session()).toEqual({ cookie });
  });

  test('becomes text when the new session is none but a text', async () => {
    const { backend, session } = await setUp({ cookie });
    expect(await backend.write('a', 'encrypted', MINUTE, 'exists', caller)).toBe(true);
    expect(await session()).toBe('encrypted');
    expect(await backend.write('a', '{"n":1}', MINUTE, { equals: 'encrypted' }, caller)).toBe(true);
    expect(await session()).toBe('{"n":1}');
  });

  test('is won by one of many simultaneous writes', async () => {
    const { backend, text } = await setUp({ cookie, n: 0 });
    for (let round = 1; round <= 10; round++) {
      const equals = await text();
      const wins = await Promise.all(
        Array.from({ length: 20 }, (_, n) => backend.write('a', `{"n":${n}}`, MINUTE, { equals }, caller)),
      );
      // A text that is written again is that text.
      const same = wins.indexOf(true);
      expect(wins.filter(Boolean).length, `round ${round}`).toBe(1);
      expect(await text()).toBe(`{"n":${same}}`);
      await backend.write('a', `{"round":${round}}`, MINUTE, 'exists', caller);
    }
  });
});
