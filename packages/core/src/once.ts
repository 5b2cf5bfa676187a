import type { Caller } from './backend.js';

/**
 * What the first call makes for all calls: a connection, a table. When that fails, or takes longer than a call can wait, the next
 * call begins anew.
 */
export class Once<T> {
  readonly #make: () => Promise<T>;
  #attempt: Promise<T> | undefined;

  constructor(make: () => Promise<T>) {
    this.#make = make;
  }

  async get(caller: Pick<Caller, 'wait'>): Promise<T> {
    this.#attempt ??= this.#make();
    const attempt = this.#attempt;
    try {
      return await caller.wait(attempt);
    } catch (error) {
      if (this.#attempt === attempt) this.#attempt = undefined;
      // It was too late for this call, and may be there for the next.
      const keep = () => {
        this.#attempt ??= attempt;
      };
      attempt.then(keep, () => {});
      throw error;
    }
  }

  /** What was made serves no longer. */
  forget(): void {
    this.#attempt = undefined;
  }
}

/** For what is done once for several callers, each of whom waits as long as it can. */
export function forAll(limitMs: number): Caller {
  const end = performance.now() + limitMs;
  return {
    check: () => undefined,
    progress: () => undefined,
    timeLeft: () => Math.max(0, end - performance.now()),
    wait: (ready) => ready,
  };
}
