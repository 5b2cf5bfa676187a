import type { Level, Product, Report, Requirement, Result, Status } from '@session-stores/conformance';
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

const named = ({ name, version }: Product) => (version ? `${name} ${version}` : name);

/** `connect-redis 8.1.0`. */
export const titleOf = ({ store }: Judged): string => named(store);

/** What it works on: `ioredis 6.0.0, Redis 7.0.15`. */
export const basisOf = ({ driver, server }: Judged): string =>
  [driver, server].flatMap((product) => (product ? [named(product)] : [])).join(', ');

/** The command that judges a store by one requirement. */
export const commandFor = (store: string, id: string): string =>
  `npm run matrix -- --store ${store} --only ${id}`;

/** How many have this level and status. */
export const countOf = (entries: readonly Entry[], level: Level, status: Status): number =>
  entries.filter((entry) => entry.level === level && entry.status === status).length;
