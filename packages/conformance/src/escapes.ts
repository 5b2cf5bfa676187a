import { setImmediate as tick } from 'node:timers/promises';

const EVENTS = ['uncaughtException', 'unhandledRejection'] as const;

/**
 * Runs a step and collects what escapes to the process meanwhile: errors thrown by callbacks, and rejected promises that
 * nobody handles. Other listeners, such as a test runner's, hear nothing of it; so nothing else should run beside it.
 */
export async function escapes(step: () => Promise<unknown>): Promise<unknown[]> {
  const seen: unknown[] = [];
  const listener = (error: unknown) => void seen.push(error);
  const emitter: NodeJS.EventEmitter = process;
  const others = EVENTS.map((event) => ({ event, listeners: emitter.rawListeners(event) }));
  for (const event of EVENTS) emitter.removeAllListeners(event).on(event, listener);
  try {
    await step();
    // Rejections are reported once the microtasks are done, exceptions from the callback's own turn of the event loop.
    for (let turn = 0; turn < 5; turn += 1) await tick();
  } finally {
    for (const { event, listeners } of others) {
      emitter.off(event, listener);
      for (const other of listeners) emitter.on(event, other as (...args: unknown[]) => void);
    }
  }
  return seen;
}
