import { readFileSync } from 'node:fs';
import { requirementOf } from './audit.js';
import type { About, Product } from './contain.js';
import { type Result, type Status, statuses } from './judge.js';
import type { Requirement } from './requirement.js';

/** The result of an audit as a file keeps it; as JSON it is written as it is. */
export interface Report extends About {
  /** This package, as what it judged by. */
  readonly suite: Product;
  /** What it ran on. */
  readonly node: string;
  /** When it was made, in ISO 8601. */
  readonly date: string;
  readonly totals: Readonly<Record<Status, number>>;
  readonly results: readonly (Result & Pick<Requirement, 'group' | 'level' | 'title'>)[];
}

export function reportOf(results: readonly Result[], about: About): Report {
  return {
    suite: suite(),
    node: process.versions.node,
    date: new Date().toISOString(),
    ...about,
    totals: totalsOf(results),
    results: results.map((result) => {
      const { group, level, title } = requirementOf(result.id);
      return { ...result, group, level, title };
    }),
  };
}

export function totalsOf(results: readonly Result[]): Record<Status, number> {
  const totals = Object.fromEntries(statuses.map((status) => [status, 0])) as Record<Status, number>;
  for (const { status } of results) totals[status] += 1;
  return totals;
}

/** This package, by its manifest. */
function suite(): Product {
  const { name, version }: Product = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  );
  return { name, version };
}

/** `connect-redis 8.1.0 on Redis 7.0.15`. */
export function titleOf({ store, server }: About): string {
  const named = ({ name, version }: Product) => (version ? `${name} ${version}` : name);
  return [store, ...(server ? [server] : [])].map(named).join(' on ');
}

/** `3 passed, 1 failed`; statuses that nothing has are left out. */
export function countsOf(totals: Readonly<Record<Status, number>>): string {
  return statuses
    .filter((status) => totals[status] > 0)
    .map((status) => `${totals[status]} ${words[status]}`)
    .join(', ');
}

const words: Record<Status, string> = {
  pass: 'passed',
  fail: 'failed',
  warn: 'warned',
  unsupported: 'unsupported',
  inconclusive: 'inconclusive',
  error: 'in error',
};
