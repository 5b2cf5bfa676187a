import { AssertionError } from 'node:assert/strict';
import { Context } from './context.js';
import type { AnyStore, Harness } from './harness.js';
import { Inconclusive, type Requirement, Unsupported } from './requirement.js';
import { requirements } from './requirements/index.js';

/**
 * - `pass`, `fail`: the store does, or does not, what is required.
 * - `unsupported`: the store lacks an optional method, or the harness the means to look.
 * - `inconclusive`: the machine was too slow for what was to be observed.
 * - `error`: the harness or the suite broke; the store was not judged.
 */
export type Status = 'pass' | 'fail' | 'unsupported' | 'inconclusive' | 'error';

export interface Result {
  readonly id: string;
  readonly status: Status;
  /** What was expected and seen, or why nothing was; empty for a pass. */
  readonly evidence: string;
  /** How long it took, in milliseconds. */
  readonly ms: number;
}

/** Factors for the time that is observed. A wider window is opened only when a narrower one was missed. */
const PATIENCE = [1, 4, 16, 64] as const;

/** Judges one store by one requirement. Never rejects. */
export async function judge<S extends AnyStore>(
  requirement: Requirement,
  harness: Harness<S>,
): Promise<Result> {
  const start = performance.now();
  let verdict: Pick<Result, 'status' | 'evidence'> = { status: 'pass', evidence: '' };
  for (const patience of PATIENCE) {
    verdict = await attempt(requirement, harness, patience);
    if (verdict.status !== 'inconclusive') break;
  }
  return { id: requirement.id, ...verdict, ms: performance.now() - start };
}

async function attempt(
  requirement: Requirement,
  harness: Harness,
  patience: number,
): Promise<Pick<Result, 'status' | 'evidence'>> {
  try {
    const context = new Context(await harness(), async () => harness(), patience);
    try {
      await requirement.run(context);
    } finally {
      await context.end();
    }
    return { status: 'pass', evidence: '' };
  } catch (error) {
    if (error instanceof AssertionError) return { status: 'fail', evidence: error.message };
    if (error instanceof Unsupported) return { status: 'unsupported', evidence: error.message };
    if (error instanceof Inconclusive) return { status: 'inconclusive', evidence: error.message };
    return {
      status: 'error',
      evidence: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  }
}

/**
 * Judges one store by every requirement. The results are in the order of the requirements.
 *
 * @param abreast How many requirements may run side by side. Most of them wait for something.
 */
export async function audit<S extends AnyStore>(harness: Harness<S>, abreast = 16): Promise<Result[]> {
  const results = new Map<string, Result>();
  const work = async (queue: Iterator<Requirement>) => {
    for (let next = queue.next(); !next.done; next = queue.next()) {
      results.set(next.value.id, await judge(next.value, harness));
    }
  };
  const together = requirements.filter(({ alone }) => !alone).values();
  await Promise.all(Array.from({ length: abreast }, () => work(together)));
  await work(requirements.filter(({ alone }) => alone).values());
  return requirements.flatMap(({ id }) => results.get(id) ?? []);
}
