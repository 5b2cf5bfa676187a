import assert from 'node:assert/strict';
import { setImmediate as tick } from 'node:timers/promises';
import { show } from './calls.js';

const EVENTS = ['uncaughtException', 'unhandledRejection'] as const;

type Hear = (error: unknown) => void;

/** Takes the place of all other listeners, such as a test runner's; returns what gives it back to them. */
function takeOver(hear: Hear): () => void {
  const emitter: NodeJS.EventEmitter = process;
  const others = EVENTS.map((event) => ({ event, listeners: emitter.rawListeners(event) }));
  for (const event of EVENTS) emitter.removeAllListeners(event).on(event, hear);
  return () => {
    for (const { event, listeners } of others) {
      emitter.off(event, hear);
      for (const other of listeners) emitter.on(event, other as (...args: unknown[]) => void);
    }
  };
}

/** Rejections are reported once the microtasks are done, exceptions from the callback's own turn of the event loop. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await tick();
}

/**
 * Runs a step and collects what escapes to the process meanwhile: errors thrown by callbacks, and rejected promises that
 * nobody handles. Other listeners hear nothing of it; so nothing else should run beside it.
 */
export async function escapes(step: () => Promise<unknown>): Promise<unknown[]> {
  const seen: unknown[] = [];
  const giveBack = takeOver((error) => void seen.push(error));
  try {
    await step();
    await settled();
  } finally {
    giveBack();
  }
  return seen;
}

/** Asserts that nothing of a step is thrown, or escapes to the process. */
export async function leavesProcessAlone(step: () => Promise<void>): Promise<void> {
  const escaped = await escapes(async () => {
    await step().catch((error: unknown) => {
      if (error instanceof assert.AssertionError) throw error;
      assert.fail(`a call threw: ${show(error)}`);
    });
  });
  assert.deepEqual(escaped.map(show), [], 'errors reached the process');
}

const hearers = new Set<Hear>();
let giveBack = () => {};

/** Runs a step and tells what escapes to the process meanwhile, to everyone who listens so at the time. */
export async function overhear(hear: Hear, step: () => Promise<unknown>): Promise<void> {
  if (hearers.size === 0) {
    giveBack = takeOver((error) => {
      for (const each of hearers) each(error);
    });
  }
  hearers.add(hear);
  try {
    await step();
  } finally {
    hearers.delete(hear);
    if (hearers.size === 0) giveBack();
  }
}
