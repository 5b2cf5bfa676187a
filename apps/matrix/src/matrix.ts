import type { Group, Level, Product, Report, Requirement, Result, Status } from '@session-stores/conformance';
import type { StoreName } from '@session-stores/every-store';

/** What was found, and how long it took, in milliseconds. */
type Found = Pick<Result, 'id' | 'status' | 'evidence' | 'ms'>;

/** What became of one store. */
export interface Judged extends Omit<Report, 'results' | 'totals'> {
  readonly name: StoreName;
  /** Whether it is one of this repository. */
  readonly ours: boolean;
  /** The database's client that it works through. */
  readonly driver?: Product;
  /** How long it took. */
  readonly seconds: number;
  readonly results: readonly Found[];
}

/** A store that could not be judged here, and why. */
export interface NotJudged {
  readonly name: StoreName;
  readonly because: string;
}

/** What a requirement asks for. */
export type Asked = Omit<Requirement, 'run' | 'alone'>;

/** What the program finds, as it is kept in a file. With it is kept what was asked for at the time. */
export interface Matrix {
  readonly requirements: readonly Asked[];
  readonly stores: readonly Judged[];
  readonly notJudged: readonly NotJudged[];
}

/** A result, with what was asked for. */
export type Entry = Found & Asked;

/** What became of a store, in the order of the requirements. */
export function entriesOf(requirements: readonly Asked[], { results }: Judged): readonly Entry[] {
  const byId = new Map(results.map((result) => [result.id, result]));
  return requirements.flatMap((asked) => {
    const result = byId.get(asked.id);
    return result ? [{ ...asked, ...result }] : [];
  });
}

/** How a status is shown where there is no room for the word. */
export const signs: Readonly<Record<Status, string>> = {
  pass: '✓',
  fail: '✗',
  warn: '!',
  unsupported: '–',
  inconclusive: '?',
  error: '?',
};

/** What the requirements of a group are about. */
export const meanings: Readonly<Record<Group, string>> = {
  CONTRACT: 'what each method of a store does and answers',
  TTL: 'when a session ends, and what prolongs it',
  IDS: 'which ids work, and that no two of them are taken for one',
  DATA: 'what a session may hold, and that it comes back as it was',
  CALLBACK: 'one answer to each call, with a callback or without, and errors that reach whoever waits',
  ISOLATION: 'sessions that share nothing: not with the objects handed in and out, not with other stores',
  HTTP: 'whole requests through the middleware, with its options',
  RACE: 'requests and processes that overtake each other',
  FAULT: 'what is answered and done while the server is away, and when it is back',
  CAPABILITY: 'that what a store says of itself is so',
};

const named = ({ name, version }: Product) => (version ? `${name} ${version}` : name);

/** `connect-redis 8.1.0`. */
export const titleOf = ({ store }: Judged): string => named(store);

/** What it works on: `ioredis 6.0.0, Redis 7.0.15`. */
export const basisOf = ({ driver, server }: Judged): string =>
  [driver, server].flatMap((product) => (product ? [named(product)] : [])).join(', ');

/** `16 packages with a store for express-session, 6 ours and 10 published`. */
export function packagesOf(stores: readonly Judged[]): string {
  const count = (some: readonly Judged[]) => new Set(some.map(({ store }) => store.name)).size;
  const all = count(stores);
  const ours = count(stores.filter((judged) => judged.ours));
  const noun = all === 1 ? 'package' : 'packages';
  return `${all} ${noun} with a store for express-session, ${ours} ours and ${all - ours} published`;
}

/** Which packages were judged more than once: `connect-redis in 3 versions, express-mysql-session on 2 servers`. */
export function repeatsOf(stores: readonly Judged[]): string {
  const packages = [...new Set(stores.map(({ store }) => store.name))];
  const repeats = packages.flatMap((name) => {
    const same = stores.filter(({ store }) => store.name === name);
    const versions = new Set(same.map(({ store }) => store.version)).size;
    const servers = new Set(same.map(({ server }) => server && named(server))).size;
    const ways = [versions > 1 && `in ${versions} versions`, servers > 1 && `on ${servers} servers`];
    return same.length > 1 ? [[name, ...ways.filter(Boolean)].join(' ')] : [];
  });
  return repeats.join(', ');
}

/** The command that judges a store by one requirement. */
export const commandFor = (store: string, id: string): string =>
  `npm run matrix -- --store ${store} --only ${id}`;

/** How many have this level and status. */
export const countOf = (entries: readonly Entry[], level: Level, status: Status): number =>
  entries.filter((entry) => entry.level === level && entry.status === status).length;
