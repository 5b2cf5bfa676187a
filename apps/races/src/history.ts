/** One thing that one client did: what, what it saw, and when by the one clock of all clients. */
export interface Operation<Call> {
  readonly call: Call;
  /** Not later than when it took effect, and not earlier. */
  readonly start: number;
  /** `Infinity` for an unknown outcome: it took effect at any time after its start, or never, which is as good as last. */
  readonly end: number;
}

/** What operations mean, one after another. */
export interface Model<State, Call> {
  readonly initial: State;
  /** The state after a call; `undefined` when in this state it could not have seen what it saw. */
  step(state: State, call: Call): State | undefined;
  /** The same text for the same state. */
  key(state: State): string;
}

/** Where every explanation fails. */
export interface Riddle<Call> {
  /** One of the longest orders that explain a part of the history. */
  readonly explained: readonly Operation<Call>[];
  /** What would have to come next, and cannot. */
  readonly next: readonly Operation<Call>[];
}

/**
 * Whether a history is linearizable: whether some order explains all that was seen, in which nothing comes before what had ended
 * before it began. `undefined` when there is one.
 *
 * A depth-first search over which operation took effect next (Wing and Gong), which enters no pair of operations done and state
 * reached twice (Lowe). It is exponential in how many operations overlap, so histories of one session each are its food.
 */
export function explain<State, Call>(
  history: readonly Operation<Call>[],
  model: Model<State, Call>,
): Riddle<Call> | undefined {
  // What ended first probably took effect first.
  const operations = [...history].sort((a, b) => a.end - b.end || a.start - b.start);
  const seen = new Set<string>();
  const order: Operation<Call>[] = [];
  let best: Riddle<Call> = { explained: [], next: [] };

  const search = (done: bigint, state: State): boolean => {
    const waiting = operations.flatMap((operation, n) =>
      (done >> BigInt(n)) & 1n ? [] : [{ operation, n }],
    );
    const [first] = waiting;
    if (first === undefined) return true;
    const place = `${done.toString(36)} ${model.key(state)}`;
    if (seen.has(place)) return false;
    seen.add(place);

    const next = waiting.filter(({ operation }) => operation.start <= first.operation.end);
    for (const { operation, n } of next) {
      const after = model.step(state, operation.call);
      if (after === undefined) continue;
      order.push(operation);
      if (search(done | (1n << BigInt(n)), after)) return true;
      order.pop();
    }
    if (best.next.length === 0 || order.length > best.explained.length)
      best = { explained: [...order], next: next.map(({ operation }) => operation) };
    return false;
  };
  return search(0n, model.initial) ? undefined : best;
}
