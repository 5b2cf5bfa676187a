/**
 * Keeps calls on one id in the order in which they were made: a change waits for all calls before it, a read only for the
 * changes before it. Calls on different ids do not wait for each other.
 */
export class Turns {
  readonly #queues = new Map<string, { change: Promise<unknown> | undefined; reads: Promise<unknown>[] }>();

  /** Runs `work` at once when nothing is before it. */
  take<T>(id: string, kind: 'read' | 'change', work: () => Promise<T>): Promise<T> {
    const queue = this.#queues.get(id) ?? { change: undefined, reads: [] };
    this.#queues.set(id, queue);

    const before = kind === 'change' ? [...queue.reads, queue.change] : [queue.change];
    const earlier = before.filter((each) => each !== undefined);
    const turn = earlier.length === 0 ? work() : Promise.allSettled(earlier).then(work);

    if (kind === 'change') {
      queue.change = turn;
      queue.reads = [];
    } else {
      queue.reads.push(turn);
    }
    const leave = () => {
      if (queue.change === turn) queue.change = undefined;
      else queue.reads = queue.reads.filter((each) => each !== turn);
      if (queue.change === undefined && queue.reads.length === 0 && this.#queues.get(id) === queue) {
        this.#queues.delete(id);
      }
    };
    turn.then(leave, leave);
    return turn;
  }
}
