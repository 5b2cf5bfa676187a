import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { explain, type Operation } from '../src/history.js';
import { type CartCall, cartSession, type PlainCall, plainSession } from '../src/models.js';

/** `[start, end, call]`; without an end, nobody knows whether it happened. */
type Line<Call> = readonly [start: number, end: number | undefined, call: Call];

function history<Call>(lines: readonly Line<Call>[]): Operation<Call>[] {
  return lines.map(([start, end = Number.POSITIVE_INFINITY, call]) => ({ start, end, call }));
}

const set = (value: string): PlainCall => ({ do: 'set', value });
const get = (saw: string | null): PlainCall => ({ do: 'get', saw });
const destroy = { do: 'destroy' } as const;

const begin: CartCall = { do: 'begin' };
const add = (item: string): CartCall => ({ do: 'change', add: item });
const remove = (item: string): CartCall => ({ do: 'change', remove: item });
const look = (...saw: string[]): CartCall => ({ do: 'look', saw });
const gone: CartCall = { do: 'look', saw: null };

describe('plain calls', () => {
  test.each<[string, Line<PlainCall>[]]>([
    ['nothing', []],
    [
      'one after another',
      [
        [0, 1, get(null)],
        [2, 3, set('a')],
        [4, 5, get('a')],
        [6, 7, destroy],
        [8, 9, get(null)],
      ],
    ],
    [
      'a read beside a write may see it',
      [
        [0, 9, set('a')],
        [1, 2, get('a')],
      ],
    ],
    [
      'or not',
      [
        [0, 9, set('a')],
        [1, 2, get(null)],
      ],
    ],
    [
      'writes that overlap, in either order',
      [
        [0, 9, set('a')],
        [1, 8, set('b')],
        [10, 11, get('a')],
      ],
    ],
    [
      'what ended as something began counts as beside it',
      [
        [0, 5, set('a')],
        [5, 9, get(null)],
      ],
    ],
    [
      'an unknown write that happened',
      [
        [0, undefined, set('a')],
        [5, 6, get('a')],
      ],
    ],
    [
      'one that did not',
      [
        [0, undefined, set('a')],
        [5, 6, get(null)],
      ],
    ],
    [
      'one that happened late',
      [
        [0, undefined, set('a')],
        [1, 2, get(null)],
        [5, 6, get('a')],
      ],
    ],
    [
      'an unknown logout between two reads',
      [
        [0, 1, set('a')],
        [2, undefined, destroy],
        [3, 4, get('a')],
        [5, 6, get(null)],
      ],
    ],
    [
      'a set after a logout',
      [
        [0, 1, set('a')],
        [2, 3, destroy],
        [4, 5, set('b')],
        [6, 7, get('b')],
      ],
    ],
  ])('explained: %s', (_, lines) => {
    expect(explain(history(lines), plainSession)).toBeUndefined();
  });

  test.each<[string, Line<PlainCall>[]]>([
    [
      'a stale read',
      [
        [0, 1, set('a')],
        [2, 3, set('b')],
        [4, 5, get('a')],
      ],
    ],
    [
      'a session that came back',
      [
        [0, 1, set('a')],
        [2, 3, destroy],
        [4, 5, get('a')],
      ],
    ],
    [
      'a lost write',
      [
        [0, 1, set('a')],
        [2, 3, get(null)],
      ],
    ],
    [
      'a read from the future',
      [
        [0, 1, get('a')],
        [2, 3, set('a')],
      ],
    ],
    [
      'a value that nobody wrote, or only a write that certainly did not happen',
      [
        [0, 1, set('a')],
        [2, 3, get('b')],
      ],
    ],
    [
      'two reads that disagree on the order',
      [
        [0, 9, set('a')],
        [0, 9, set('b')],
        [10, 11, get('a')],
        [12, 13, get('b')],
      ],
    ],
    [
      'a read that goes back',
      [
        [0, 1, set('a')],
        [2, 9, set('b')],
        [3, 4, get('b')],
        [5, 6, get('a')],
      ],
    ],
    [
      'an unknown write that happened and did not',
      [
        [0, undefined, set('a')],
        [1, 2, get('a')],
        [3, 4, get(null)],
      ],
    ],
    [
      'an unknown write that happened twice',
      [
        [0, undefined, set('a')],
        [1, 2, get('a')],
        [3, 4, destroy],
        [5, 6, get('a')],
      ],
    ],
    [
      'an unknown write seen before it began',
      [
        [0, 1, get('a')],
        [2, undefined, set('a')],
      ],
    ],
  ])('rejected: %s', (_, lines) => {
    expect(explain(history(lines), plainSession)).toBeDefined();
  });

  test('a rejection tells how far an explanation goes, and what cannot come next', () => {
    const [first, second, third] = history([
      [0, 1, set('a')],
      [2, 3, destroy],
      [4, 5, get('a')],
    ]);
    expect(
      explain(
        history([
          [4, 5, get('a')],
          [2, 3, destroy],
          [0, 1, set('a')],
        ]),
        plainSession,
      ),
    ).toEqual({
      explained: [first, second],
      next: [third],
    });
  });
});

describe('saves that lose nothing', () => {
  test.each<[string, Line<CartCall>[]]>([
    [
      'two at once',
      [
        [0, 1, begin],
        [2, 9, add('a')],
        [2, 9, add('b')],
        [10, 11, look('b', 'a')],
      ],
    ],
    [
      'an addition beside a removal',
      [
        [0, 1, begin],
        [2, 3, add('a')],
        [4, 9, remove('a')],
        [4, 9, add('b')],
        [10, 11, look('b')],
      ],
    ],
    [
      'a late save after a logout',
      [
        [0, 1, begin],
        [2, 3, destroy],
        [4, 5, add('a')],
        [6, 7, gone],
      ],
    ],
    [
      'an unknown addition',
      [
        [0, 1, begin],
        [2, undefined, add('a')],
        [3, 4, look()],
        [5, 6, look('a')],
      ],
    ],
    [
      'a look between two that overlap',
      [
        [0, 1, begin],
        [2, 9, add('a')],
        [2, 9, add('b')],
        [3, 4, look('b')],
      ],
    ],
  ])('explained: %s', (_, lines) => {
    expect(explain(history(lines), cartSession)).toBeUndefined();
  });

  test.each<[string, Line<CartCall>[]]>([
    [
      'a lost addition',
      [
        [0, 1, begin],
        [2, 9, add('a')],
        [2, 9, add('b')],
        [10, 11, look('b')],
      ],
    ],
    [
      'a removal undone',
      [
        [0, 1, begin],
        [2, 3, add('a')],
        [4, 9, remove('a')],
        [4, 9, add('b')],
        [10, 11, look('a', 'b')],
      ],
    ],
    [
      'a session revived by a late save',
      [
        [0, 1, begin],
        [2, 3, destroy],
        [4, 5, add('a')],
        [6, 7, look('a')],
      ],
    ],
    [
      'a session revived without its data',
      [
        [0, 1, begin],
        [2, 3, destroy],
        [4, 5, add('a')],
        [6, 7, look()],
      ],
    ],
    [
      'two looks that disagree on the order',
      [
        [0, 1, begin],
        [2, 9, add('a')],
        [2, 9, add('b')],
        [3, 4, look('b')],
        [5, 6, look('a')],
      ],
    ],
    [
      'an item that nobody added',
      [
        [0, 1, begin],
        [2, 3, look('a')],
      ],
    ],
  ])('rejected: %s', (_, lines) => {
    expect(explain(history(lines), cartSession)).toBeDefined();
  });
});

describe('a history of calls that took effect one after another', () => {
  const write = fc.constantFrom('set', 'get', 'get', 'destroy');

  /** Calls at the times 0, 10, 20, …, each known to have happened within some time around. */
  const sequential = fc
    .array(fc.record({ what: write, before: fc.nat(45), after: fc.nat(45) }), { minLength: 1, maxLength: 30 })
    .map((calls) => {
      let value: string | null = null;
      return calls.map(({ what, before, after }, n): Operation<PlainCall> => {
        const call: PlainCall = what === 'set' ? set(`v${n}`) : what === 'destroy' ? destroy : get(value);
        value = call.do === 'set' ? call.value : call.do === 'destroy' ? null : value;
        return { call, start: 10 * n - before, end: 10 * n + after };
      });
    });

  test('is explained, whatever overlaps', () => {
    fc.assert(
      fc.property(sequential, fc.nat(), (operations, turn) => {
        const at = turn % operations.length;
        const turned = [...operations.slice(at), ...operations.slice(0, at)];
        expect(explain(turned, plainSession)).toBeUndefined();
      }),
    );
  });

  test('is explained also when nobody knows of some writes whether they happened', () => {
    fc.assert(
      fc.property(sequential, fc.array(fc.boolean(), { maxLength: 30 }), (operations, unknown) => {
        const lines = operations.map((each, n) =>
          unknown[n] && each.call.do !== 'get' ? { ...each, end: Number.POSITIVE_INFINITY } : each,
        );
        expect(explain(lines, plainSession)).toBeUndefined();
      }),
    );
  });

  test('is rejected when a read has seen what was certainly overwritten, or was not there yet', () => {
    fc.assert(
      fc.property(sequential, fc.nat(), fc.nat(), (operations, which, from) => {
        const at = which % operations.length;
        const there = valuesAround(operations, at);
        const others = [
          null,
          ...operations.flatMap(({ call }) => (call.do === 'set' ? [call.value] : [])),
        ].filter((value) => !there.has(value));
        fc.pre(others.length > 0);
        const wrong = get(others[from % others.length] ?? null);
        const read = { ...operations[at], call: wrong, start: 10 * at - 1, end: 10 * at + 1 };
        expect(explain(operations.with(at, read), plainSession)).toBeDefined();
      }),
    );
  });

  /** What a read at a place could have seen: an order is a guess, so every write beside it or before it counts that is not certainly overwritten. */
  function valuesAround(operations: readonly Operation<PlainCall>[], at: number): Set<string | null> {
    const read = { start: 10 * at - 1, end: 10 * at + 1 };
    const writes = [
      { value: null, start: Number.NEGATIVE_INFINITY, end: Number.NEGATIVE_INFINITY },
      ...operations.flatMap(({ call, start, end }, n) =>
        n === at || call.do === 'get' ? [] : [{ value: call.do === 'set' ? call.value : null, start, end }],
      ),
    ];
    const possible = writes.filter(
      (write) =>
        write.start <= read.end && !writes.some((later) => later.start > write.end && later.end < read.start),
    );
    return new Set(possible.map(({ value }) => value));
  }
});
