import type { Answer, Backend } from '@session-stores/core';
import { describe, expect, test } from 'vitest';
import { caller, collect } from './answers.js';

const MINUTE = 60_000;

/** The last moment that a `Date` can hold, in milliseconds. */
const LAST_DATE = 8.64e15;

/** What two clocks of one machine that are read in whole milliseconds may differ by. */
const ROUNDING = 3;

/** A part of a server that one test has for itself. */
export interface Place {
  /** Two backends on the same sessions, each with a connection of its own. */
  readonly here: Backend;
  readonly there: Backend;
  /** Backends on what lies beside it: a longer prefix, another table. */
  neighbours(): readonly Backend[];
  /** How many records the server holds there, those of ended sessions included. */
  records(): Answer<number>;
  /** The last deadline that can be kept, in Unix milliseconds. Default: that of `Date`. */
  readonly lastDeadline?: number;
}

/** What every backend does, whatever keeps the sessions. */
export function testBackend(open: () => Answer<Place>): void {
  test('reads what was written, with the time that is left', async () => {
    for (const [each, other] of both(await open())) {
      await each.remove('a', caller);
      expect(await each.read('a', caller)).toBeUndefined();
      const start = performance.now();
      expect(await each.write('a', '{"n":1}', MINUTE, 'always', caller)).toBe(true);
      expect((await other.read('a', caller))?.data).toBe('{"n":1}');
      await expectLeft(other, 'a', MINUTE, start);
    }
  });

  test('never keeps a session longer than asked for', async () => {
    const { here } = await open();
    for (let ttl = 5000; ttl < 6000; ttl += 37) {
      const start = performance.now();
      await here.write('a', 'text', ttl, 'always', caller);
      await expectLeft(here, 'a', ttl, start);
    }
  });

  test('takes the longest lifetime that there is', async () => {
    const { here, lastDeadline = LAST_DATE } = await open();
    const start = performance.now();
    const longest = LAST_DATE - Date.now();
    const kept = Math.min(longest, lastDeadline - Date.now());
    const moves = [
      () => here.write('a', 'text', longest, 'always', caller),
      () => here.touch('a', longest, 'extend', caller),
      () => here.touch('a', longest, 'set', caller),
      () => here.write('a', 'text', longest, 'exists', caller),
      () => here.write('a', 'text', longest, { equals: 'text' }, caller),
    ];
    for (const move of moves) {
      await here.write('a', 'text', MINUTE, 'always', caller);
      expect(await move()).toBe(true);
      // `kept` was computed on our clock.
      await expectLeft(here, 'a', kept + 1000, start - 2000);
    }
  });

  test('has nothing to say about a session that has ended, but lets it be made anew', async () => {
    const place = await open();
    for (const [each] of both(place)) {
      await each.write('a', 'text', 30, 'always', caller);
      await expect.poll(() => each.read('a', caller), { timeout: 5000, interval: 5 }).toBeUndefined();
      expect(await each.touch('a', MINUTE, 'set', caller)).toBe(false);
      expect(await each.touch('a', MINUTE, 'extend', caller)).toBe(false);
      expect(await each.write('a', 'text', MINUTE, 'exists', caller)).toBe(false);
      expect(await each.write('a', 'text', MINUTE, { equals: 'text' }, caller)).toBe(false);
      expect(await each.read('a', caller)).toBeUndefined();
      expect(await each.count(caller)).toBe(0);
      expect(await idsOf(each)).toEqual([]);
      expect(await each.remove('a', caller)).toBe(false);
      expect(await place.records()).toBe(0);

      await each.write('a', 'text', 1, 'always', caller);
      await expect.poll(() => each.read('a', caller), { timeout: 5000, interval: 5 }).toBeUndefined();
      expect(await each.write('a', 'new', MINUTE, 'always', caller)).toBe(true);
      expect((await each.read('a', caller))?.data).toBe('new');
    }
  });

  test("writes 'exists' only where a session is", async () => {
    for (const [each] of both(await open())) {
      await each.remove('a', caller);
      expect(await each.write('a', 'new', MINUTE, 'exists', caller)).toBe(false);
      expect(await each.read('a', caller)).toBeUndefined();
      await each.write('a', 'old', MINUTE, 'always', caller);
      const start = performance.now();
      expect(await each.write('a', 'new', 2 * MINUTE, 'exists', caller)).toBe(true);
      expect((await each.read('a', caller))?.data).toBe('new');
      await expectLeft(each, 'a', 2 * MINUTE, start);
    }
  });

  test.each([
    ['plain text', 'plain text'],
    ['an empty one', ''],
    ['a long one', `${'long '.repeat(20_000)}text`],
    ['any Unicode', 'żółć 🦊 \u0000 \r\n " \\'],
    ['a lone surrogate', '"\ud800"'],
    ['a digest of nothing', 'da39a3ee5e6b4b0d3255bfef95601890afd80709'],
    ['another digest of nothing', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['what looks like a field', '$session'],
    ['what looks like a variable', '$$ROOT'],
    ['what looks like an operator', '{"$ne":""}'],
  ])("writes 'equals' only over that text: %s", async (_, text) => {
    for (const [each] of both(await open())) {
      await each.remove('a', caller);
      expect(await each.write('a', 'new', MINUTE, { equals: text }, caller)).toBe(false);
      expect(await each.read('a', caller)).toBeUndefined();
      await each.write('a', text, MINUTE, 'always', caller);
      for (const equals of [`${text} `, `${text}x`, text.slice(1), '']) {
        if (equals === text) continue;
        expect(await each.write('a', 'new', MINUTE, { equals }, caller)).toBe(false);
      }
      expect((await each.read('a', caller))?.data.toWellFormed()).toBe(text.toWellFormed());
      const start = performance.now();
      expect(await each.write('a', 'new', 2 * MINUTE, { equals: text }, caller)).toBe(true);
      expect((await each.read('a', caller))?.data).toBe('new');
      await expectLeft(each, 'a', 2 * MINUTE, start);
    }
  });

  test('answers a write or touch that changes nothing as what it is: done', async () => {
    const longest = LAST_DATE - Date.now();
    for (const [each] of both(await open())) {
      for (const when of ['always', 'always', 'exists', { equals: 'text' }] as const) {
        expect(await each.write('a', 'text', longest, when, caller)).toBe(true);
      }
      expect(await each.touch('a', longest, 'set', caller)).toBe(true);
      expect(await each.touch('a', MINUTE, 'extend', caller)).toBe(true);
      expect((await each.read('a', caller))?.ttl).toBeGreaterThan(365 * 24 * 60 * MINUTE);
    }
  });

  test("moves deadlines: 'set' anywhere, 'extend' only to a later one", async () => {
    for (const [each, other] of both(await open())) {
      const start = performance.now();
      await each.write('a', 'text', 10 * MINUTE, 'always', caller);
      expect(await each.touch('a', 5 * MINUTE, 'set', caller)).toBe(true);
      await expectLeft(other, 'a', 5 * MINUTE, start);
      expect(await each.touch('a', MINUTE, 'extend', caller)).toBe(true);
      await expectLeft(other, 'a', 5 * MINUTE, start);
      expect(await each.touch('a', 9 * MINUTE, 'extend', caller)).toBe(true);
      await expectLeft(other, 'a', 9 * MINUTE, start);
      expect((await other.read('a', caller))?.data).toBe('text');
    }
  });

  test('never creates a session by touching it', async () => {
    const { here, records } = await open();
    expect(await here.touch('a', MINUTE, 'set', caller)).toBe(false);
    expect(await here.touch('a', MINUTE, 'extend', caller)).toBe(false);
    expect(await records()).toBe(0);
  });

  test('removes, and says whether a session was there', async () => {
    const place = await open();
    for (const [each, other] of both(place)) {
      await each.write('a', 'text', MINUTE, 'always', caller);
      expect(await other.remove('a', caller)).toBe(true);
      expect(await each.remove('a', caller)).toBe(false);
      expect(await place.records()).toBe(0);
    }
  });

  test('goes over its own sessions, and no others', async () => {
    const { here, there, records, ...place } = await open();
    const neighbours = place.neighbours();
    for (const each of neighbours) await each.write('b', 'not ours', MINUTE, 'always', caller);
    await here.write('a', 'text', MINUTE, 'always', caller);
    await here.write('ended', 'text', 1, 'always', caller);
    await expect.poll(() => here.count(caller)).toBe(1);
    const [entry, ...more] = await collect(there.entries(caller));
    expect(more).toEqual([]);
    expect(entry).toEqual({ id: 'a', data: 'text', ttl: expect.any(Number) });
    expect(entry?.ttl).toBeLessThanOrEqual(MINUTE);
    expect(await here.read('b', caller)).toBeUndefined();
    expect(await here.remove('b', caller)).toBe(false);
    await there.clear(caller);
    expect(await records()).toBe(0);
    expect(await idsOf(here)).toEqual([]);
    for (const each of neighbours) expect((await each.read('b', caller))?.data).toBe('not ours');
  });

  test('goes over more than a page, each session once, while others come, go and are touched', async () => {
    const { here, there } = await open();
    const ids = Array.from({ length: 600 }, (_, n) => `id${n}`);
    await Promise.all(ids.map((id) => here.write(id, `of ${id}`, MINUTE, 'always', caller)));
    const removed = new Set<string>();
    const seen: string[] = [];
    for await (const { id, data } of here.entries(caller)) {
      expect(data).toBe(`of ${id}`);
      seen.push(id);
      if (seen.length === 10) {
        const ahead = ids.filter((other) => !seen.includes(other));
        for (const gone of [ahead.at(-1), ahead.at(0)]) {
          if (gone !== undefined && (await there.remove(gone, caller))) removed.add(gone);
        }
      }
      if (seen.length % 50 === 0) await there.touch(id, 2 * MINUTE, 'set', caller);
    }
    const stayed = ids.filter((id) => !removed.has(id));
    expect(new Set(seen).size, 'none comes twice').toBe(seen.length);
    expect(seen).toEqual(expect.arrayContaining(stayed));
    expect(await here.count(caller)).toBe(stayed.length);
    await here.clear(caller);
    expect(await there.count(caller)).toBe(0);
  });

  describe('under many writes at once', () => {
    test('lets one of the conditional ones win, in every round', async () => {
      const { here, there } = await open();
      await here.write('a', 'round 0', MINUTE, 'always', caller);
      for (let round = 1; round <= 20; round++) {
        const equals = (await here.read('a', caller))?.data ?? '';
        const writers = Array.from({ length: 20 }, (_, n) => (n % 2 ? here : there));
        const wins = await Promise.all(
          writers.map((each, n) => each.write('a', `round ${round} by ${n}`, MINUTE, { equals }, caller)),
        );
        expect(wins.filter(Boolean), `winners of round ${round}`).toHaveLength(1);
        expect((await there.read('a', caller))?.data).toBe(`round ${round} by ${wins.indexOf(true)}`);
      }
    });

    test('never brings a removed session back', async () => {
      const { here, there, records } = await open();
      for (let round = 0; round < 20; round++) {
        await here.write('a', 'text', MINUTE, 'always', caller);
        const late = () => [
          there.write('a', 'late', MINUTE, 'exists', caller),
          there.write('a', 'late', MINUTE, { equals: 'text' }, caller),
          there.touch('a', MINUTE, 'extend', caller),
          there.touch('a', MINUTE, 'set', caller),
        ];
        await Promise.all([late(), late(), here.remove('a', caller), late(), late()].flat());
        expect(await records()).toBe(0);
      }
    });

    test('lets all unconditional ones through', async () => {
      const { here, there, records } = await open();
      for (let round = 0; round < 10; round++) {
        const writers = Array.from({ length: 20 }, (_, n) => (n % 2 ? here : there));
        const writes = writers.map((each, n) =>
          each.write(`id${round}`, `by ${n}`, MINUTE, 'always', caller),
        );
        expect(new Set(await Promise.all(writes))).toEqual(new Set([true]));
      }
      expect(await records()).toBe(10);
    });
  });

  testIds(open);
}

const kinds = {
  'glob characters': '*?[a-z]\\',
  wildcards: '%_',
  'quotes and separators': `'"\`{}();--: \r\n\t`,
  'dollars and dots': '$where.$$NOW',
  'a NUL': 'a\u0000',
  'trailing spaces': 'a ',
  'upper case': 'A',
  'an accent': 'á',
  'any Unicode': '🦊 żółć\u{10ffff}',
  'names of prototypes': '__proto__',
  'a number': '0',
  '128 units': '🦊'.repeat(64),
};

/** That ids of every kind are taken, and compare exactly; but for what `except` names, which this place cannot hold beside others. */
export function testIds(open: () => Answer<Place>, except?: keyof typeof kinds): void {
  const ids = Object.entries(kinds).filter(([kind]) => kind !== except);
  test.each(ids)('takes ids of %s, and mixes them up with no other', async (_, id) => {
    const { here, there, records } = await open();
    await here.write('a', 'of a', MINUTE, 'always', caller);
    await there.write(id, 'of id', MINUTE, 'always', caller);
    expect(await records()).toBe(2);
    for (const each of [here, there]) {
      expect((await each.read(id, caller))?.data).toBe('of id');
      expect((await each.read('a', caller))?.data).toBe('of a');
      expect(await idsOf(each)).toEqual(['a', id].sort());
    }
    expect(await there.remove(id, caller)).toBe(true);
    expect(await idsOf(here)).toEqual(['a']);
  });
}

/** That `sweep` deletes what has ended, and nothing else. For backends whose server does not do so itself. */
export function testSweep(open: () => Answer<Place>): void {
  const ENDED = 450;

  /** A place with that many sessions that have ended, and one that has not. */
  async function withEnded(): Promise<Place> {
    const place = await open();
    const ids = Array.from({ length: ENDED }, (_, n) => `id${n}`);
    await place.here.write('alive', 'text', MINUTE, 'always', caller);
    await Promise.all(ids.map((id) => place.here.write(id, 'text', 1, 'always', caller)));
    await expect.poll(() => place.here.count(caller), { timeout: 5000 }).toBe(1);
    return place;
  }

  test('deletes what has ended, in pages, and nothing else', async () => {
    const { here, there, records } = await withEnded();
    expect(await here.sweep?.(caller)).toBe(ENDED);
    expect(await records()).toBe(1);
    expect(await idsOf(here)).toEqual(['alive']);
    expect(await there.sweep?.(caller)).toBe(0);
  });

  test('neither fails nor ends what is stored anew, where several sweep at once', async () => {
    const { here, there, records } = await withEnded();
    const anew = Array.from({ length: ENDED / 10 }, (_, n) => `id${n * 10}`);
    const sweeps = [here.sweep?.(caller), there.sweep?.(caller), here.sweep?.(caller)];
    await Promise.all(anew.map((id) => there.write(id, 'anew', MINUTE, 'always', caller)));
    const swept = (await Promise.all(sweeps)).map(Number).reduce((sum, count) => sum + count);
    expect(swept).toBeGreaterThan(0);
    expect(swept).toBeLessThanOrEqual(ENDED);
    expect(await idsOf(here)).toEqual(['alive', ...anew].sort());
    await here.sweep?.(caller);
    expect(await records()).toBe(1 + anew.length);
  });
}

/** Each backend, and the other one. */
function both({ here, there }: Place): [Backend, Backend][] {
  return [
    [here, there],
    [there, here],
  ];
}

async function idsOf(backend: Backend): Promise<string[]> {
  return (await collect(backend.entries(caller))).map(({ id }) => id).sort();
}

/** That a session has what is left of `ttl` since `start`, but for the grain; never more. */
async function expectLeft(backend: Backend, id: string, ttl: number, start: number): Promise<void> {
  const left = (await backend.read(id, caller))?.ttl ?? 0;
  expect(left).toBeLessThanOrEqual(ttl);
  const passed = performance.now() - start + ROUNDING;
  expect(left).toBeGreaterThan(ttl - passed - backend.capabilities.grainMs);
}
