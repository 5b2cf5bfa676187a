import type { Context } from './context.js';
import type { Source } from './sources.js';

export const groups = [
  'CONTRACT',
  'TTL',
  'IDS',
  'DATA',
  'CALLBACK',
  'ISOLATION',
  'HTTP',
  'RACE',
  'FAULT',
  'CAPABILITY',
] as const;
export type Group = (typeof groups)[number];

/**
 * How hard a requirement binds: MUST where express-session requires it or its middleware relies on it, SHOULD where it
 * is recommended or leaving it out loses somebody's session or data, MAY where it is a convenience. A store may lack
 * an optional method (the answer is `unsupported`); a method that is there has to work.
 */
export type Level = (typeof levels)[number];
export const levels = ['MUST', 'SHOULD', 'MAY'] as const;

export interface Requirement {
  /** `GROUP-NNN`. Permanent: a number is never given to another meaning, and not used again when it is retired. */
  readonly id: string;
  readonly group: Group;
  readonly level: Level;
  /** What a store does, as a statement. */
  readonly title: string;
  /** The words of express-session that ask for it. */
  readonly source: Source;
  /** What goes wrong for an application when the store does not do it. */
  readonly why: string;
  /** True when it must not run beside other requirements: it clears data, watches the process for errors, or needs quiet. */
  readonly alone?: boolean;
  /** Resolves when the requirement is met; otherwise throws an `AssertionError`, `Unsupported` or `Inconclusive`. */
  run(context: Context): Promise<void>;
}

/** The store lacks an optional method, or the harness the means to look: nothing was judged. */
export class Unsupported extends Error {
  override readonly name = 'Unsupported';
}

/** The machine was too slow for the time that was to be observed: nothing was learned. */
export class Inconclusive extends Error {
  override readonly name = 'Inconclusive';
}

/** The requirements of one group; each is written without repeating the group. */
export function group(name: Group, list: readonly Omit<Requirement, 'group'>[]): readonly Requirement[] {
  return list.map((requirement) => ({ group: name, ...requirement }));
}
