import { AssertionError } from 'node:assert/strict';
import { show } from './calls.js';
import { Context } from './context.js';
import { type AnyStore, type Harness, subjectOf } from './harness.js';
import { Inconclusive, type Requirement, Unsupported } from './requirement.js';

/**
 * - `pass`: the store does what is required.
 * - `fail`: it does not do what it MUST do; also when it hangs, ends the process or lets errors escape to it.
 * - `warn`: it does not do what it SHOULD or MAY do, in the same ways.
 * - `unsupported`: the store lacks an optional method, or the harness the means to look.
 * - `inconclusive`: the machine was too slow for what was to be observed.
 * - `error`: the harness or the suite broke; the store was not judged.
 */
export type Status = (typeof statuses)[number];
export const statuses = ['pass', 'fail', 'warn', 'unsupported', 'inconclusive', 'error'] as const;

interface Verdict {
  readonly status: Status;
  /** What was seen, or why nothing was; empty for a pass. */
  readonly evidence: string;
  /** The value that was expected, and the one that was seen, where it came down to comparing two; shortened, if long. */
  readonly expected?: string;
  readonly seen?: string;
}

export interface Result extends Verdict {
  readonly id: string;
  /** How long it took, in milliseconds. */
  readonly ms: number;
}

/** How a requirement that is not met is reported. */
export const unmet = ({ level }: Requirement): Status => (level === 'MUST' ? 'fail' : 'warn');

/** How long a requirement may take as a whole, in milliseconds. */
export const LIMIT_MS = 300_000;

/** Factors for the time that is observed. A wider window is opened only when a narrower one was missed. */
const PATIENCE = [1, 4, 16, 64] as const;

type Stage = 'the harness' | 'the requirement' | 'the clean-up';

/**
 * Judges one store by one requirement. Never rejects.
 *
 * @param limitMs How long that may take, in milliseconds. What is not done then has failed.
 */
export async function judge<S extends AnyStore>(
  requirement: Requirement,
  harness: Harness<S>,
  limitMs: number = LIMIT_MS,
): Promise<Result> {
  const start = performance.now();
  let stage: Stage = 'the harness';
  const enter = (next: Stage) => {
    stage = next;
  };
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<Verdict>((resolve) => {
    timer = setTimeout(() => {
      const status = stage === 'the requirement' ? unmet(requirement) : 'error';
      resolve({ status, evidence: `${stage} was not done within ${limitMs} ms` });
    }, limitMs);
  });
  const verdict = await Promise.race([patiently(requirement, harness, enter), tooLate]);
  clearTimeout(timer);
  return { id: requirement.id, ...verdict, ms: Math.round(performance.now() - start) };
}

async function patiently<S extends AnyStore>(
  requirement: Requirement,
  harness: Harness<S>,
  enter: (stage: Stage) => void,
): Promise<Verdict> {
  let verdict: Verdict = { status: 'pass', evidence: '' };
  for (const patience of PATIENCE) {
    verdict = await attempt(requirement, harness, patience, enter);
    if (verdict.status !== 'inconclusive') break;
  }
  return verdict;
}

async function attempt<S extends AnyStore>(
  requirement: Requirement,
  harness: Harness<S>,
  patience: number,
  enter: (stage: Stage) => void,
): Promise<Verdict> {
  const open = async () => subjectOf(await harness());
  try {
    enter('the harness');
    const context = new Context(await open(), open, patience);
    try {
      enter('the requirement');
      await requirement.run(context);
    } finally {
      enter('the clean-up');
      await context.end();
    }
    return { status: 'pass', evidence: '' };
  } catch (error) {
    if (error instanceof AssertionError) return { status: unmet(requirement), ...evidenceOf(error) };
    if (error instanceof Unsupported) return { status: 'unsupported', evidence: error.message };
    if (error instanceof Inconclusive) return { status: 'inconclusive', evidence: error.message };
    return {
      status: 'error',
      evidence: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  }
}

function evidenceOf(error: AssertionError): Omit<Verdict, 'status'> {
  // Node appends a diff, which is long where values are.
  const [message = ''] = error.message.split('\n+ actual - expected');
  if (error.operator !== 'strictEqual' && error.operator !== 'deepStrictEqual') return { evidence: message };
  const [expected, seen] = [show(error.expected), show(error.actual)];
  const values = `expected ${expected}, saw ${seen}`;
  if (error.generatedMessage) return { evidence: values, expected, seen };
  return { evidence: message.includes(seen) ? message : `${message}: ${values}`, expected, seen };
}
