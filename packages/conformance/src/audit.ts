import { enter } from './contain.js';
import { overhear, settled } from './escapes.js';
import type { AnyStore, Harness } from './harness.js';
import { judge, LIMIT_MS, type Result, unmet } from './judge.js';
import { type Level, levels, type Requirement } from './requirement.js';
import { requirements } from './requirements/index.js';

export interface Selection {
  /** Just these requirements, by ids, and by groups for all that is in them, in upper or lower case. Default: all. */
  readonly only?: readonly string[];
  /** `MUST` leaves out what SHOULD and MAY be, `SHOULD` what MAY be. Default `MAY`: nothing is left out. */
  readonly level?: Level;
}

export interface AuditOptions extends Selection {
  /** Called with each result as soon as it is known. */
  readonly onResult?: (result: Result) => void;
  /** How many requirements may run side by side; most of them wait for something. Default 16. */
  readonly abreast?: number;
  /** How long each may take, in milliseconds; what is not done then has failed. Default 300000. */
  readonly limitMs?: number;
}

/** How requirements are judged: those that are not `alone` so many at a time, and each within this time. */
export type Pace = Required<Pick<AuditOptions, 'abreast' | 'limitMs'>>;

/** What came of requirements that were judged in one process, besides their results. */
export interface Stay {
  /** Those during which something went wrong that may be another one's doing, and what it was. They have no result. */
  readonly suspects: ReadonlyMap<string, string>;
  /** Those that were not begun when the process ended. */
  readonly left: readonly Requirement[];
}

/** Judges requirements in one process. */
type Room = (chosen: readonly Requirement[], onResult: (result: Result) => void) => Promise<Stay>;

/**
 * The requirement with this id.
 *
 * @throws {TypeError} when there is none.
 */
export function requirementOf(id: string): Requirement {
  const found = requirements.find((requirement) => requirement.id === id);
  if (!found) throw new TypeError(`there is no requirement ${id}`);
  return found;
}

/**
 * The requirements that a name means: one by its id, or all of a group.
 *
 * @throws {TypeError} when there are none.
 */
export function requirementsOf(name: string): readonly Requirement[] {
  const wanted = name.toUpperCase();
  const found = requirements.filter(({ id, group }) => id === wanted || group === wanted);
  if (found.length === 0) throw new TypeError(`there is no requirement ${name}, nor a group of that name`);
  return found;
}

/**
 * The requirements of a selection, in their order.
 *
 * @throws {TypeError} for a name that is of no requirement and of no group, and for a level that is none.
 */
export function select({ only, level = 'MAY' }: Selection): readonly Requirement[] {
  if (!levels.includes(level))
    throw new TypeError(`level has to be one of ${levels.join(', ')}, not ${level}`);
  const named = only && new Set(only.flatMap(requirementsOf));
  const reach = levels.slice(0, levels.indexOf(level) + 1);
  return requirements.filter((each) => reach.includes(each.level) && (named?.has(each) ?? true));
}

/**
 * Judges one store by the requirements. The results are in the order of the requirements.
 *
 * Where the harness is the URL of a module that has it as its default export, the store lives in a process of its own:
 * whatever it does, the audit comes to its end, and says which requirement made the store hang, exit or block the event loop.
 * A function is called in this process; then what blocks or ends it ends the audit too.
 *
 * @throws {TypeError} for an option that is wrong.
 * @throws {Error} when the module cannot be loaded.
 */
export async function audit<S extends AnyStore>(
  harness: Harness<S> | URL,
  options: AuditOptions = {},
): Promise<Result[]> {
  const { onResult = () => {}, abreast = 16, limitMs = LIMIT_MS } = options;
  for (const [name, value] of Object.entries({ abreast, limitMs })) {
    if (!(value >= 1)) throw new TypeError(`${name} has to be a number from 1 up, not ${value}`);
  }
  const chosen = select(options);
  const pace = { abreast, limitMs };
  const room: Room =
    harness instanceof URL
      ? (some, done) => enter(harness, some, pace, done)
      : (some, done) => stayHere(harness, some, pace, done);

  const results = new Map<string, Result>();
  await judgeIn(room, chosen, (result) => {
    results.set(result.id, result);
    onResult(result);
  });
  return chosen.flatMap(({ id }) => results.get(id) ?? []);
}

/** Judges side by side what goes well, and by itself what was under way when something went wrong. */
async function judgeIn(room: Room, chosen: readonly Requirement[], onResult: (result: Result) => void) {
  for (let left = chosen; left.length > 0; ) {
    const stay = await room(left, onResult);
    left = stay.left;

    const byThemselves: Result[] = [];
    for (const id of stay.suspects.keys()) {
      const requirement = requirementOf(id);
      const start = performance.now();
      const { suspects } = await room([requirement], (result) => byThemselves.push(result));
      const evidence = suspects.get(id);
      const ms = Math.round(performance.now() - start);
      if (evidence !== undefined) onResult({ id, status: unmet(requirement), evidence, ms });
    }
    const isFound = byThemselves.length < stay.suspects.size;
    for (const result of byThemselves) {
      const evidence = `only beside others: ${stay.suspects.get(result.id)}`;
      const isOpen = result.status === 'pass' && !isFound;
      onResult(isOpen ? { ...result, status: 'inconclusive', evidence } : result);
    }
  }
}

/** Judges in this process. Errors that escape to it are heard of, and make suspects of all that run at the time. */
export async function stayHere(
  harness: Harness,
  chosen: readonly Requirement[],
  { abreast, limitMs }: Pace,
  onResult: (result: Result) => void,
  onStart: (id: string) => void = () => {},
): Promise<Stay> {
  const running = new Set<string>();
  const suspects = new Map<string, string>();
  const work = async (queue: Iterable<Requirement>) => {
    for (const requirement of queue) {
      const { id } = requirement;
      running.add(id);
      onStart(id);
      const result = await judge(requirement, harness, limitMs);
      await settled();
      running.delete(id);
      if (!suspects.has(id)) onResult(result);
    }
  };
  const heard = (error: unknown) => {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    for (const id of running) suspects.set(id, `an error escaped to the process: ${what}`);
  };
  await overhear(heard, async () => {
    await work(chosen.filter(({ alone }) => alone));
    const together = chosen.filter(({ alone }) => !alone).values();
    await Promise.all(Array.from({ length: abreast }, () => work(together)));
  });
  return { suspects, left: [] };
}
