import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { SessionOptions } from './app.js';
import type { Elsewhere } from './harness.js';
import type { Guide, Visited } from './visits.js';

/** Which store the other process opens, and how it serves it. */
export interface Order extends Elsewhere {
  readonly session: SessionOptions;
}

/** Sent there; `open`, which answers with the origin, comes first. */
export interface Question {
  readonly n: number;
  readonly method: 'open' | keyof Guide;
  readonly args: readonly unknown[];
}

/** Sent back, with the question's number. */
export interface Reply {
  readonly n: number;
  readonly value?: unknown;
  readonly error?: string;
}

// By way of dist, so that it also runs where the suite itself is loaded from its sources.
const program = new URL('../dist/elsewhere-main.js', import.meta.url);

/**
 * Serves visits on the same data from a process of its own. It ends with this one, in whatever way that ends.
 *
 * @throws when the store cannot be opened there.
 */
export async function serveElsewhere(order: Order): Promise<Visited> {
  const child = fork(program, { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const exit = once(child, 'exit');
  const close = async () => {
    child.kill('SIGKILL');
    await exit;
  };
  const waiting = new Map<number, (reply: Reply) => void>();
  const gone = () => {
    for (const [n, answer] of waiting) answer({ n, error: 'the other process has ended' });
  };
  child.on('message', (reply: Reply) => waiting.get(reply.n)?.(reply));
  child.on('exit', gone);

  let count = 0;
  const ask = (method: Question['method'], ...args: readonly unknown[]): Promise<Reply> => {
    count += 1;
    const n = count;
    return new Promise<Reply>((resolve) => {
      waiting.set(n, resolve);
      child.send({ n, method, args } satisfies Question, (error) => error && gone());
    }).finally(() => waiting.delete(n));
  };
  const told = async (method: keyof Guide, ...args: readonly unknown[]): Promise<unknown> => {
    const { error, value } = await ask(method, ...args);
    assert.ok(error === undefined, error);
    return value;
  };

  const { error, value: origin } = await ask('open', order);
  if (error !== undefined) {
    await close();
    throw new Error(`elsewhere: ${error}`);
  }
  return {
    origin: String(origin),
    guide: {
      entered: async (name) => void (await told('entered', name)),
      step: (name, step) => told('step', name, step),
      leave: async (name) => void (await told('leave', name)),
      errors: () => told('errors'),
    },
    close,
  };
}
