import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Pace, Stay } from './audit.js';
import type { Result } from './judge.js';
import type { Requirement } from './requirement.js';

/** A product and its version, as a report names them. */
export interface Product {
  readonly name: string;
  readonly version?: string | undefined;
}

/** What is judged. A harness module may export it as `about`, or a function that returns or promises it. */
export interface About {
  readonly store: Product;
  readonly server?: Product | undefined;
}

/** Sent to the process: to make a store and say what it is, or to judge. */
export type Order =
  | { readonly kind: 'look'; readonly module: string }
  | { readonly kind: 'judge'; readonly module: string; readonly ids: readonly string[]; readonly pace: Pace };

/** Sent back. */
export type Message =
  | { readonly kind: 'alive' }
  | { readonly kind: 'started'; readonly id: string }
  | { readonly kind: 'result'; readonly result: Result }
  | { readonly kind: 'unfit'; readonly because: string }
  | { readonly kind: 'seen'; readonly about: About }
  | { readonly kind: 'end'; readonly suspects: readonly (readonly [string, string])[] };

/** How often the process says that it is alive, and the silence after which its event loop counts as blocked. */
export const BEAT_MS = 1_000;
const SILENCE_MS = 10_000;

/** How much of what a process has written is told when it ended. */
const LAST_WORDS = 1_000;

/** The harness module cannot be loaded, or makes no store. */
export class UnfitHarness extends Error {
  override readonly name = 'UnfitHarness';
}

/** Makes a store in a process of its own, once, and tells what it is. */
export async function look(module: URL): Promise<About> {
  let about: About | undefined;
  const how = await converse({ kind: 'look', module: module.href }, (message) => {
    if (message.kind === 'seen') about = message.about;
    return message.kind === 'seen';
  });
  if (!about) throw new UnfitHarness(how);
  return about;
}

/** Judges in a process of its own. What is under way when that ends before its time is suspect. */
export async function enter(
  module: URL,
  chosen: readonly Requirement[],
  pace: Pace,
  onResult: (result: Result) => void,
): Promise<Stay> {
  const begun = new Set<string>();
  const running = new Set<string>();
  let suspects: Map<string, string> | undefined;
  const ids = chosen.map(({ id }) => id);
  const how = await converse({ kind: 'judge', module: module.href, ids, pace }, (message) => {
    if (message.kind === 'started') {
      begun.add(message.id);
      running.add(message.id);
    } else if (message.kind === 'result') {
      running.delete(message.result.id);
      onResult(message.result);
    } else if (message.kind === 'end') {
      suspects = new Map(message.suspects);
    }
    return message.kind === 'end';
  });
  if (begun.size === 0) throw new UnfitHarness(how);
  suspects ??= new Map([...running].map((id) => [id, how]));
  return { suspects, left: chosen.filter(({ id }) => !begun.has(id)) };
}

// By way of dist, so that it also runs where the suite itself is loaded from its sources.
const program = new URL('../dist/contain-main.js', import.meta.url);

/** Holds a process of its own to an order until `hear` has heard the last of it; tells how the process ended. */
async function converse(order: Order, hear: (message: Message) => boolean): Promise<string> {
  // What the store writes is none of the report; it is shown beside it.
  const child = fork(program, { stdio: ['ignore', 2, 'pipe', 'ipc'] });
  let unfit: string | undefined;
  let isBlocked = false;
  const silence = setTimeout(() => {
    isBlocked = true;
    child.kill('SIGKILL');
  }, SILENCE_MS);
  child.on('message', (message: Message) => {
    silence.refresh();
    if (message.kind === 'unfit') unfit = message.because;
    if (hear(message) || unfit !== undefined) child.disconnect();
  });
  const words = lastWordsOf(child);
  child.send(order);

  // Both, for messages may be read after the end.
  const [[code, signal]] = await Promise.all([once(child, 'exit'), once(child, 'disconnect')]);
  clearTimeout(silence);
  if (unfit !== undefined) return unfit;
  const how = isBlocked
    ? `the event loop was blocked for ${SILENCE_MS} ms`
    : `the process ended, ${signal ? `by ${signal}` : `with exit code ${code}`}`;
  return [how, ...words()].join('\n');
}

function lastWordsOf({ stderr }: ChildProcess): () => string[] {
  let text = '';
  stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-LAST_WORDS);
    process.stderr.write(chunk);
  });
  return () => (text.trim() ? [text.trim()] : []);
}
