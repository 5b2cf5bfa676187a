import { isDeepStrictEqual } from 'node:util';
import type { Answer, Step } from './protocol.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const YEAR = 365 * 24 * HOUR;

/** How long a session of the scenarios lives that wait for an expiry: time enough to load it, also on a busy machine. */
export const SHORT = 4_000;

type Data = Readonly<Record<string, unknown>>;

/** What several requests do at once with one session, and what has to come of it. */
export interface Scenario {
  readonly name: string;
  /** What the login request does; without one, the first of the requests makes the session. */
  readonly login?: readonly Step[];
  readonly requests: readonly (readonly Step[])[];
  /**
   * How the requests meet: they are held and let go in an order that is drawn (default), or all go at once. Or the first one is held
   * somewhere while the others run to their end, until its own cookie has expired (`overdue`) or the session has (`gone`).
   */
  readonly meet?: 'drawn' | 'at once' | 'overdue' | 'gone';
  /** How many steps the first request goes before any other begins. Default 0. */
  readonly lead?: number;
  /** Whether the session holds in the end what it has to; `undefined` when it has to be gone. */
  readonly kept?: ((data: Data, answers: readonly Answer[], left: number) => boolean) | undefined;
}

/** The session holds exactly this, beside its cookie and the user. Arrays in any order, as nobody knows who comes first. */
const holds =
  (expected: Data): Scenario['kept'] =>
  ({ cookie: _, ...data }) =>
    isDeepStrictEqual(ordered(data), ordered({ user: 'ada', ...expected }));

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered).sort();
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, ordered(each)]));
}

/** Every message is shown or still there, once. */
const eachOnce =
  (...messages: string[]): Scenario['kept'] =>
  (data, answers) => {
    const waiting = Array.isArray(data['flash']) ? data['flash'] : [];
    return isDeepStrictEqual([...answers.flatMap(({ shown }) => shown), ...waiting].sort(), messages);
  };

const loggedIn = (...steps: Step[]): Step[] => [['put', 'user', 'ada'], ['maxAge', HOUR], ...steps];

/** What a slow request may do that is overtaken by the end of its session. */
const slow: Readonly<Record<string, readonly Step[]>> = {
  'changes the session': [['put', 'late', true]],
  'only reads it': [],
  'saves it explicitly': [['put', 'late', 1], ['save'], ['put', 'late', 2]],
  'reloads and changes it': [['reload'], ['put', 'late', true]],
  'changes its cookie': [['maxAge', YEAR]],
  'replaces it by a new one': [['regenerate'], ['put', 'user', 'grace']],
};

/** How a session ends. */
const endings: Readonly<Record<string, readonly Step[]>> = {
  'logout while a slow request': [['destroy']],
  'login (a new id) while a slow request': [['regenerate'], ['put', 'user', 'grace']],
};

const ended: Scenario[] = Object.entries(endings).flatMap(([ending, end]) =>
  Object.entries(slow).map(([what, steps]) => ({
    name: `${ending} ${what}`,
    login: loggedIn(),
    requests: [steps, end],
  })),
);

const expired: Scenario[] = Object.entries(slow).map(([what, steps]) => ({
  name: `expiry while a slow request ${what}`,
  login: [
    ['put', 'user', 'ada'],
    ['maxAge', SHORT],
  ],
  requests: [steps],
  meet: 'gone',
}));

/** A slow request whose own cookie has expired, while another request has made the session last. */
const overdue: Scenario[] = (['changes the session', 'only reads it', 'saves it explicitly'] as const).map(
  (what) => ({
    name: `own expiry of a slow request that ${what}, in a session that others kept alive`,
    login: [
      ['put', 'user', 'ada'],
      ['maxAge', SHORT],
    ],
    requests: [slow[what] ?? [], [['maxAge', HOUR]]],
    meet: 'overdue',
    kept: (data, _answers, left) =>
      left > HOUR - 10 * MINUTE && (what === 'only reads it' || data['late'] !== undefined),
  }),
);

const longer: Scenario[] = (['changes the session', 'only reads it'] as const).map((what) => ({
  name: `maxAge raised while a slow request ${what}`,
  login: loggedIn(),
  requests: [slow[what] ?? [], [['maxAge', YEAR]]],
  kept: (data, _answers, left) =>
    left > YEAR - HOUR && (what === 'only reads it' || data['late'] !== undefined),
}));

/** How many requests are let go at once in the largest scenario. */
const CROWD = 50;

/** Changes that all have to be there in the end, beside what the login has put there. */
const updates: readonly Scenario[] = [
  {
    name: 'different keys',
    requests: [[['put', 'a', 1]], [['put', 'b', 1]], [['put', 'c', 1]]],
    kept: holds({ a: 1, b: 1, c: 1 }),
  },
  {
    name: 'different keys of one object',
    login: [['put', 'prefs.theme', 'dark']],
    requests: [[['put', 'prefs.a', 1]], [['put', 'prefs.b', { c: null }]]],
    kept: holds({ prefs: { theme: 'dark', a: 1, b: { c: null } } }),
  },
  {
    name: 'the same new object, with different keys',
    requests: [[['put', 'prefs.a', 1]], [['put', 'prefs.b', 2]]],
    kept: holds({ prefs: { a: 1, b: 2 } }),
  },
  {
    name: 'two items into a cart',
    login: [['put', 'cart', ['tea']]],
    requests: [[['push', 'cart', 'milk']], [['push', 'cart', 'rice']]],
    kept: holds({ cart: ['milk', 'rice', 'tea'] }),
  },
  {
    name: 'an item into a cart, another one out of it',
    login: [['put', 'cart', ['milk', 'tea']]],
    requests: [[['pull', 'cart', 'milk']], [['push', 'cart', 'rice']]],
    kept: holds({ cart: ['rice', 'tea'] }),
  },
  {
    name: 'two items out of a cart',
    login: [['put', 'cart', ['milk', 'rice', 'tea']]],
    requests: [[['pull', 'cart', 'milk']], [['pull', 'cart', 'tea']]],
    kept: holds({ cart: ['rice'] }),
  },
  ...(['show', 'take'] as const).map((way) => ({
    name: `flash messages are shown (${way === 'show' ? 'array emptied' : 'key deleted'}) while others come`,
    login: [['put', 'flash', ['one']]] satisfies Step[],
    requests: [[[way, 'flash']], [['push', 'flash', 'two']], [['push', 'flash', 'three']]] satisfies Step[][],
    kept: eachOnce('one', 'three', 'two'),
  })),
  {
    name: 'a key deleted, another one changed',
    login: [
      ['put', 'a', 1],
      ['put', 'b', 1],
    ],
    requests: [[['drop', 'a']], [['put', 'b', 2]]],
    kept: holds({ b: 2 }),
  },
  {
    name: 'a key deleted in an object, another one added',
    login: [['put', 'prefs.a', 1]],
    requests: [[['drop', 'prefs.a']], [['put', 'prefs.b', 1]]],
    kept: holds({ prefs: { b: 1 } }),
  },
  {
    name: 'several explicit saves in each request',
    requests: ['a', 'b'].map((key) => [
      ['put', key, 1],
      ['push', 'cart', `${key}1`],
      ['save'],
      ['put', key, 2],
      ['push', 'cart', `${key}2`],
      ['save'],
      ['push', 'cart', `${key}3`],
    ]),
    kept: holds({ a: 2, b: 2, cart: ['a1', 'a2', 'a3', 'b1', 'b2', 'b3'] }),
  },
  {
    name: 'saves that are not waited for',
    requests: [
      [['put', 'n', 1], ['saveLater'], ['put', 'n', 2], ['saveLater'], ['put', 'n', 3]],
      [['put', 'b', 1]],
    ],
    kept: holds({ n: 3, b: 1 }),
  },
  {
    name: 'a change after a reload, and one that the reload has undone',
    requests: [[['put', 'undone', true], ['reload'], ['put', 'a', 1]], [['put', 'b', 1]]],
    kept: holds({ a: 1, b: 1 }),
  },
  {
    name: 'a change while a plain request ends late',
    requests: [[], [['put', 'b', 1]]],
    kept: holds({ b: 1 }),
  },
  {
    name: 'the cookie changed, and a key',
    requests: [[['maxAge', YEAR]], [['put', 'b', 1]]],
    kept: (data, _answers, left) => left > YEAR - HOUR && data['b'] === 1,
  },
  {
    name: `${CROWD} requests at once, each with an item for the cart`,
    requests: Array.from({ length: CROWD }, (_, n) => [['push', 'cart', n]]),
    meet: 'at once',
    kept: holds({ cart: Array.from({ length: CROWD }, (_, n) => n) }),
  },
];

const begun: Scenario[] = [
  {
    name: 'a new session, saved explicitly and at the end',
    requests: [loggedIn(['save'], ['put', 'a', 1])],
    kept: holds({ a: 1 }),
  },
  {
    name: 'logout from outside while a request makes the session, between its save and its end',
    requests: [loggedIn(['save'], ['put', 'a', 1]), [['end']]],
    // Loaded, put, maxAge, save.
    lead: 4,
  },
];

export const scenarios: readonly Scenario[] = [
  ...ended,
  ...begun,
  ...expired,
  ...updates.map((each) => ({ ...each, login: loggedIn(...(each.login ?? [])) })),
  ...longer,
  ...overdue,
];
