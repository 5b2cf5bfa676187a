import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Applications } from './applications.js';
import type { Operation } from './history.js';
import type { CartCall, PlainCall } from './models.js';
import type { Outcome } from './protocol.js';
import type { Choices } from './schedule.js';

export interface Workload {
  readonly choices: Choices;
  readonly sessions: number;
  /** On each session, half of them in each application. */
  readonly clients: number;
  /** What each client does without being answered an error. */
  readonly rounds: number;
  /** Done when the clients have a third of their work behind them, and again at two thirds. */
  readonly disturb?: () => Promise<void>;
}

/** What clients did at once with some sessions, and saw. */
interface Recording<Call> {
  /** One for each session. */
  readonly histories: readonly (readonly Operation<Call>[])[];
  /** The errors that calls were answered with. */
  readonly failures: readonly string[];
}

/** Does one thing with a session; says whether that was answered without an error. */
type Client<Call> = (recorder: Recorder<Call>, round: number) => Promise<boolean>;

/** Records clients that call `set`, `get` and `destroy` as it comes. */
export function recordPlain(applications: Applications, workload: Workload): Promise<Recording<PlainCall>> {
  const { choices } = workload;
  return record<PlainCall>(workload, async (session) => (client) => {
    const { calls } = applications.site(client % 2);
    return async (recorder, round) => {
      const dice = choices.between(1, 20);
      if (dice <= 9) {
        const saw = await recorder.read(
          () => calls.get(session),
          (saw) => ({ do: 'get', saw }),
        );
        return saw !== undefined;
      }
      if (dice > 17) return recorder.write({ do: 'destroy' }, () => calls.destroy(session));
      const value = `${client}.${round}`;
      return recorder.write({ do: 'set', value }, () => calls.set(session, value));
    };
  });
}

/** Records requests that load a session, and change its cart and save it later; in half of the sessions the first client logs out. */
export function recordCarts(applications: Applications, workload: Workload): Promise<Recording<CartCall>> {
  const { choices, rounds } = workload;
  return record<CartCall>(workload, async (session, recorder) => {
    const logout = choices.coin() ? Math.floor(rounds * 0.8) : -1;
    await recorder.write({ do: 'begin' }, () => applications.site(0).calls.begin(session));
    return (client) => {
      const { calls } = applications.site(client % 2);
      return async (recorder, round) => {
        if (client === 0 && round === logout)
          return recorder.write({ do: 'destroy' }, () => calls.destroy(session));
        const request = randomUUID();
        const cart = await recorder.read(
          () => calls.load(session, request),
          (saw) => ({ do: 'look', saw }),
        );
        if (cart === undefined) return false;
        if (cart === null) return true;
        const change =
          cart.length > 0 && choices.coin() ? { remove: choices.of(cart) } : { add: `${client}.${round}` };
        return recorder.write({ do: 'change', ...change }, () => calls.save(request, change));
      };
    };
  });
}

async function record<Call>(
  { sessions, clients, rounds, disturb = async () => {} }: Workload,
  open: (session: string, recorder: Recorder<Call>) => Promise<(client: number) => Client<Call>>,
): Promise<Recording<Call>> {
  const recorders = Array.from({ length: sessions }, () => new Recorder<Call>());
  const total = sessions * clients * rounds;
  const marks = [total / 3, (2 * total) / 3];
  let done = 0;
  let disturbance = Promise.resolve();

  const work = async (client: Client<Call>, recorder: Recorder<Call>) => {
    for (let round = 0; round < rounds; ) {
      if (await client(recorder, round)) {
        round += 1;
        done += 1;
        if (done > (marks[0] ?? total)) {
          marks.shift();
          disturbance = disturb();
        }
      } else {
        await disturbance;
        // The store may take a moment to come back.
        await delay(20);
      }
    }
  };
  await Promise.all(
    recorders.map(async (recorder) => {
      const client = await open(randomUUID(), recorder);
      await Promise.all(Array.from({ length: clients }, (_, n) => work(client(n), recorder)));
    }),
  );
  return {
    histories: recorders.map(({ operations }) => operations),
    failures: recorders.flatMap(({ failures }) => failures),
  };
}

/** Writes down what the clients of one session do. */
class Recorder<Call> {
  readonly operations: Operation<Call>[] = [];
  readonly failures: string[] = [];

  /** Says whether it was answered without an error. One that may have happened all the same is written down as such. */
  async write(call: Call, work: () => Promise<Outcome<unknown>>): Promise<boolean> {
    const start = performance.now();
    const outcome = await work();
    if (!('error' in outcome)) {
      this.operations.push({ call, start, end: performance.now() });
      return true;
    }
    this.failures.push(outcome.error);
    if (outcome.mayHaveHappened) this.operations.push({ call, start, end: Number.POSITIVE_INFINITY });
    return false;
  }

  /** What it saw; `undefined` when it was answered with an error. */
  async read<T>(work: () => Promise<Outcome<T>>, call: (saw: T) => Call): Promise<T | undefined> {
    const start = performance.now();
    const outcome = await work();
    if ('error' in outcome) {
      this.failures.push(outcome.error);
      return undefined;
    }
    this.operations.push({ call: call(outcome.saw), start, end: performance.now() });
    return outcome.saw;
  }
}

/** A moment when the server died, as far as it is known. */
export interface Crash {
  readonly from: number;
  readonly to: number;
}

/**
 * What a crash leaves to explain. A server that dies may take with it what it had shown but not yet acknowledged: reads beside writes
 * that were under way count for nothing.
 */
export function survivors<Call extends { readonly do: string }>(
  history: readonly Operation<Call>[],
  crashes: readonly Crash[],
): readonly Operation<Call>[] {
  const isRead = ({ call }: Operation<Call>) => call.do === 'get' || call.do === 'look';
  return history.filter((operation) => {
    const forgotten = crashes.some(({ from, to }) =>
      history.some(
        (write) =>
          !isRead(write) &&
          write.start < to &&
          write.end > from &&
          operation.start < to &&
          operation.end > write.start,
      ),
    );
    return !isRead(operation) || !forgotten;
  });
}
