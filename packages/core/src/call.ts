import type { Answer, Caller } from './backend.js';

/** What ends the work of a call that has been answered already; nobody sees it. */
class CallIsOver extends Error {}

/** When the limits of what is sent end, as a part of the caller's time limit. */
const EARLIER = 0.9;

/**
 * One operation from the call to its answer, which comes once and within the time limit. After it, the work goes no further:
 * what was answered with an error is not carried out later.
 */
export class Call<T> implements Caller {
  /** Settles once, with the work's result or with what `expire` says of the time that ran out. */
  readonly answer: Promise<T>;
  /** Whether a change has been sent to the server whose answer is not here yet, or never came. */
  pending = false;
  /** Whether a page of a long change is done. */
  begun = false;
  /** The text being stored, so that it can be kept out of error messages. */
  text: string | undefined;
  /** Whether a conflict is what takes the time. */
  contended = false;

  readonly #limitMs: number;
  readonly #timer: NodeJS.Timeout;
  #start = performance.now();
  #over = false;
  #changes = false;
  #settle: { resolve(value: T): void; reject(error: unknown): void } | undefined;

  constructor(limitMs: number, expire: (call: Call<T>) => unknown) {
    this.#limitMs = limitMs;
    this.answer = new Promise<T>((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#timer = setTimeout(() => {
      this.#over = true;
      this.#settle?.reject(expire(this));
    }, limitMs).unref();
  }

  /** Does the work, unless the answer is there already; settles with the call. */
  start(
    work: (call: Call<T>) => Promise<T>,
    translate: (error: unknown, call: Call<T>) => unknown,
  ): Promise<T> {
    if (!this.#over) {
      work(this).then(
        (value) => this.#end()?.resolve(value),
        (error: unknown) => this.#end()?.reject(translate(error, this)),
      );
    }
    return this.answer;
  }

  /** Asks the server something that changes nothing. */
  async ask<R>(request: () => Answer<R>): Promise<R> {
    this.check();
    return await request();
  }

  /** Asks the server for a change. What it answers after the time limit is not heard: calls behind this one may be under way. */
  async change<R>(request: () => Answer<R>): Promise<R> {
    this.check();
    this.#changes = true;
    this.pending = true;
    const result = await Promise.resolve(request()).finally(() => this.check());
    this.pending = false;
    return result;
  }

  check(): void {
    if (this.#over) throw new CallIsOver();
  }

  async wait<R>(ready: Promise<R>): Promise<R> {
    const { pending } = this;
    this.pending = false;
    const result = await ready;
    this.check();
    this.pending = pending;
    return result;
  }

  progress(): void {
    this.check();
    this.begun ||= this.#changes;
    this.#start = performance.now();
    this.#timer.refresh();
  }

  timeLeft(): number {
    return this.#over ? 0 : Math.max(0, this.#start + this.#limitMs * EARLIER - performance.now());
  }

  #end() {
    clearTimeout(this.#timer);
    if (this.#over) return undefined;
    this.#over = true;
    return this.#settle;
  }
}
