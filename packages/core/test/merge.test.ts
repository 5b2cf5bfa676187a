import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { merge } from '../src/merge.js';

const run = { numRuns: 1_000 };

describe('examples', () => {
  test.each<[string, { base?: unknown; mine?: unknown; theirs?: unknown; merged?: unknown }]>([
    ['keys that each added', { base: {}, mine: { a: 1 }, theirs: { b: 2 }, merged: { b: 2, a: 1 } }],
    ['keys of an object that each added', { mine: { a: 1 }, theirs: { b: 2 }, merged: { b: 2, a: 1 } }],
    [
      'keys of an object that each put in the place of nothing',
      { base: null, mine: { a: 1 }, theirs: { b: 2 }, merged: { b: 2, a: 1 } },
    ],
    [
      'deep down',
      {
        base: { a: { b: { c: 1, d: 1 } } },
        mine: { a: { b: { c: 2, d: 1 } } },
        theirs: { a: { b: { c: 1, d: 3 } } },
        merged: { a: { b: { c: 2, d: 3 } } },
      },
    ],
    [
      'a key that I deleted',
      { base: { a: 1, b: 1 }, mine: { b: 1 }, theirs: { a: 1, b: 2 }, merged: { b: 2 } },
    ],
    [
      'a key that they deleted',
      { base: { a: 1, b: 1 }, mine: { a: 1, b: 2 }, theirs: { b: 1 }, merged: { b: 2 } },
    ],
    ['a key that both changed', { base: { a: 1 }, mine: { a: 2 }, theirs: { a: 3 }, merged: { a: 2 } }],
    ['a key that I deleted and they changed', { base: { a: 1 }, mine: {}, theirs: { a: 3 }, merged: {} }],
    [
      'an object that I deleted and they changed',
      { base: { a: { b: 1 } }, mine: {}, theirs: { a: { b: 2 } }, merged: {} },
    ],
    [
      'an object that they deleted and I changed',
      { base: { a: { b: 1, c: 1 } }, mine: { a: { b: 2, c: 1 } }, theirs: {}, merged: { a: { b: 2, c: 1 } } },
    ],
    [
      'an object in the place of a value',
      { base: { a: 1 }, mine: { a: {} }, theirs: { a: 2 }, merged: { a: {} } },
    ],
    ['a null that I put there', { base: { a: 1 }, mine: { a: null }, theirs: { a: 2 }, merged: { a: null } }],
    ['what each appended', { base: [1], mine: [1, 2], theirs: [1, 3], merged: [1, 3, 2] }],
    ['the first that each appended', { mine: ['a'], theirs: ['b'], merged: ['b', 'a'] }],
    ['the same that both appended', { base: [1], mine: [1, 2, 3], theirs: [1, 2], merged: [1, 2, 2, 3] }],
    [
      'equal items that each appended, deep down',
      {
        base: {},
        mine: { a: { cart: ['tea'] } },
        theirs: { a: { cart: ['tea'] } },
        merged: { a: { cart: ['tea', 'tea'] } },
      },
    ],
    ['what I removed', { base: [1, 2, 3], mine: [1, 3], theirs: [1, 2, 3, 4], merged: [1, 3, 4] }],
    ['what they removed', { base: [1, 2], mine: [1, 2, 3], theirs: [2], merged: [2, 3] }],
    ['what both removed', { base: [1, 2], mine: [2], theirs: [2, 4], merged: [2, 4] }],
    [
      'one of several that are alike',
      { base: [1, 1, 1], mine: [1, 1], theirs: [1, 1, 1, 1], merged: [1, 1, 1] },
    ],
    ['what I removed and appended', { base: ['a'], mine: ['b'], theirs: ['a', 'c'], merged: ['c', 'b'] }],
    [
      'elements that are objects',
      {
        base: [{ id: 1 }],
        mine: [{ id: 1 }, { id: 2 }],
        theirs: [{ id: 1 }, { id: 3 }],
        merged: [{ id: 1 }, { id: 3 }, { id: 2 }],
      },
    ],
    [
      'a list that I have emptied by deleting it, when they appended',
      { base: { flash: ['a'] }, mine: {}, theirs: { flash: ['a', 'b'] }, merged: { flash: ['b'] } },
    ],
    [
      'a list that they have emptied by deleting it, when I appended',
      { base: { flash: ['a'] }, mine: { flash: ['a', 'b'] }, theirs: {}, merged: { flash: ['b'] } },
    ],
    [
      'a list that I deleted, when they removed from it',
      { base: { flash: ['a', 'b'] }, mine: {}, theirs: { flash: ['b'] }, merged: {} },
    ],
    [
      'a list that I emptied, when they deleted it',
      { base: { flash: ['a', 'b'] }, mine: { flash: [] }, theirs: {}, merged: {} },
    ],
    ['an array that I sorted', { base: [2, 1], mine: [1, 2], theirs: [2, 1, 3], merged: [1, 2] }],
    ['an array that I put something before', { base: [1], mine: [0, 1], theirs: [1, 2], merged: [0, 1] }],
    [
      'an array that I changed in the middle',
      { base: [1, 2, 3], mine: [1, 9, 3], theirs: [1, 2, 3, 4], merged: [1, 9, 3] },
    ],
    ['a list that became a value', { base: [1], mine: 'none', theirs: [1, 2], merged: 'none' }],
    ['a value that they made a list', { base: 1, mine: [1], theirs: 2, merged: [1] }],
    ['holes as JSON has them', { base: [null], mine: [null, null], theirs: [], merged: [null] }],
  ])('%s', (_what, { base, mine, theirs, merged }) => {
    expect(merge(base, mine, theirs)).toStrictEqual(merged);
  });
});

describe('keys that look like more', () => {
  test.each(['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', '', '$set', 'a.b', '0'])(
    '%s is a key like any other',
    (key) => {
      const of = (...members: [string, unknown][]): unknown =>
        JSON.parse(JSON.stringify(Object.fromEntries(members)));
      const nested = of([key, of(['x', 1])]);
      const merged = merge(of(), of(['mine', 1], [key, of(['y', 2])]), nested);
      expect(JSON.parse(JSON.stringify(merged))).toEqual(of(['mine', 1], [key, of(['x', 1], ['y', 2])]));
      expect(Object.keys(merge(nested, of(), of([key, of(['x', 1])], ['b', 1])) as object)).toEqual(['b']);
      expect(({} as Record<string, unknown>)['x']).toBeUndefined();
      expect(({} as Record<string, unknown>)['y']).toBeUndefined();
      expect(Object.getPrototypeOf(merged)).toBe(Object.prototype);
    },
  );
});

/** Few keys and values, so that they meet. */
const json = fc.letrec<{ value: unknown; object: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, true, 0, 1, 'a', '', 'ü'),
    fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 4 }),
    tie('object'),
    fc.array(tie('object'), { maxLength: 2 }),
  ),
  object: fc
    .array(fc.tuple(fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor'), tie('value')), {
      maxLength: 4,
    })
    .map((members) => Object.fromEntries(members)),
})).object;

describe('of any sessions', () => {
  test('who changes nothing gets theirs, and nobody else in it gets mine', () => {
    fc.assert(
      fc.property(json, json, (base, other) => {
        for (const merged of [merge(base, base, other), merge(base, other, base)]) {
          expect(isDeepStrictEqual(merged, other)).toBe(true);
        }
      }),
      run,
    );
  });

  test('the result is JSON, made anew, and of what all three hold', () => {
    fc.assert(
      fc.property(json, json, json, (base, mine, theirs) => {
        const before = JSON.stringify([base, mine, theirs]);
        const merged = merge(base, mine, theirs);
        expect(isDeepStrictEqual(JSON.parse(JSON.stringify(merged)), merged)).toBe(true);
        expect(JSON.stringify([base, mine, theirs])).toBe(before);
      }),
      run,
    );
  });

  test('each key that only one side changed is as that side has it', () => {
    fc.assert(
      fc.property(json, json, json, (base, mine, theirs) => {
        const of = (value: unknown, key: string) =>
          JSON.stringify(Object.entries(value as object).find(([name]) => name === key)?.[1]);
        const merged = merge(base, mine, theirs);
        for (const key of ['a', 'b', 'c', '__proto__', 'constructor']) {
          if (of(mine, key) === of(base, key)) expect(of(merged, key)).toBe(of(theirs, key));
          else if (of(theirs, key) === of(base, key)) expect(of(merged, key)).toBe(of(mine, key));
        }
      }),
      run,
    );
  });

  test('lists that are only appended to and removed from lose nothing, whoever is later', () => {
    const list = fc.array(fc.string({ maxLength: 1 }), { maxLength: 6 });
    fc.assert(
      fc.property(
        list,
        fc.infiniteStream(fc.boolean()),
        fc.infiniteStream(fc.boolean()),
        (base, mineKeeps, theirsKeep) => {
          const mine = [...base.filter(() => mineKeeps.next().value), 'mine'];
          const theirs = [...base.filter(() => theirsKeep.next().value), 'theirs'];
          expect(merge(base, mine, theirs)).toEqual(expect.arrayContaining(['mine', 'theirs']));
          const once = [...new Set(base)];
          const both = merge(once, [...once.slice(1), 'mine'], [...once.slice(0, -1), 'theirs']);
          expect(both).toEqual([...once.slice(1, -1), 'theirs', 'mine']);
        },
      ),
      run,
    );
  });

  test('a long list takes no longer than its length', () => {
    const base = Array.from({ length: 50_000 }, (_, n) => `old ${n}`);
    const mine = Array.from({ length: 50_000 }, (_, n) => `new ${n}`);
    expect(merge(base, mine, [...base, 'theirs'])).toEqual(['theirs', ...mine]);
  });
});
