import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { type BirpcReturn, createBirpc } from 'birpc';
import type { Answer, ApplicationCalls, DriverCalls, Found, Held, Plan, Settings } from './protocol.js';
import { isShared, newPlace, type StoreName } from './stores.js';

/** Also from the sources: a process of its own runs what was built. */
const program = fileURLToPath(new URL('../dist/application.js', import.meta.url));

/** Nothing takes this long, also on a machine that does much else, but what hangs. */
const HANGS_MS = 60_000;

/** What came of a request: an answer, or what there was instead of one. */
export type Reply =
  | { readonly answer: Answer; readonly cookie: string | undefined }
  | { readonly error: string };

interface Site {
  readonly port: number;
  readonly calls: BirpcReturn<ApplicationCalls, DriverCalls>;
}

interface Member extends Pick<Site, 'calls'> {
  readonly child: ChildProcess;
}

/** Two applications with one store: each in a process of its own, or both in one where the store lives in its process. */
export class Applications {
  readonly #agent = new Agent({ keepAlive: true });
  readonly #members: Member[] = [];
  readonly #sites: Site[] = [];
  readonly #held = new Map<string, (at: Held) => void>();
  readonly #troubles = new Map<string, (what: string) => void>();
  /** Errors that belong to no round: nobody has caught them. */
  readonly uncaught: string[] = [];

  private constructor() {}

  /**
   * @param url The server, where the store needs one.
   * @param skew How far the clock of a second process is ahead of the first one's, in milliseconds.
   */
  static async start(store: StoreName, url?: string, skew = 0): Promise<Applications> {
    const processes = isShared(store) ? 2 : 1;
    const applications = new Applications();
    const settings = { ...(await newPlace(store, url)), count: 2 / processes };
    try {
      await Promise.all(
        Array.from({ length: processes }, (_, n) => applications.#launch({ ...settings, ahead: n * skew })),
      );
      return applications;
    } catch (error) {
      await applications.#end();
      throw error;
    }
  }

  async #launch(settings: Settings): Promise<void> {
    const child = fork(program, [JSON.stringify(settings)]);
    const calls = createBirpc<ApplicationCalls, DriverCalls>(
      {
        held: (name, at) => this.#held.get(name)?.(at),
        trouble: (round, what) => {
          const tell = round === undefined ? undefined : this.#troubles.get(round);
          if (tell) tell(what);
          else this.uncaught.push(what);
        },
      },
      {
        post: (message) => child.connected && child.send(message),
        on: (listener) => child.on('message', listener),
        eventNames: ['resume'],
        timeout: HANGS_MS,
      },
    );
    this.#members.push({ child, calls });
    child.once('exit', (code) => calls.$close(new Error(`an application process ended with code ${code}`)));
    const ports = await calls.listen();
    this.#sites.push(...ports.map((port) => ({ port, calls })));
  }

  /** A request to one of the two applications, not sent yet. `plan.go` is up to its first step. */
  request(site: number, plan: Omit<Plan, 'go'>, cookie: string | undefined): RacingRequest {
    const { port, calls } = this.site(site);
    return new RacingRequest(plan.steps.length + 2, {
      send: (go) => this.#ask(port, { ...plan, go }, cookie),
      resume: (steps) => void calls.resume(plan.name, steps),
      held: () => new Promise((resolve) => this.#held.set(plan.name, resolve)),
      done: () => this.#held.delete(plan.name),
    });
  }

  /** What each application's store, and the server, have of a session. */
  find(id: string): Promise<Found[]> {
    return Promise.all([0, 1].map((site) => this.site(site).calls.find(id)));
  }

  /** Hears of a round's errors that no answer tells of, while `work` runs. */
  async hearing<T>(round: string, tell: (what: string) => void, work: () => Promise<T>): Promise<T> {
    this.#troubles.set(round, tell);
    try {
      return await work();
    } finally {
      this.#troubles.delete(round);
    }
  }

  /** Ends them, and leaves nothing of theirs on the server. */
  async stop(): Promise<void> {
    try {
      await this.#members[0]?.calls.drop();
    } finally {
      await this.#end();
    }
  }

  async #end(): Promise<void> {
    this.#agent.destroy();
    await Promise.all(
      this.#members.map(async ({ child }) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const exit = once(child, 'exit');
        child.disconnect();
        await exit;
      }),
    );
  }

  /** One of the two applications. */
  site(site: number): Site {
    const found = this.#sites[site];
    if (found === undefined) throw new RangeError(`there is no application ${site}`);
    return found;
  }

  async #ask(port: number, plan: Plan, cookie: string | undefined): Promise<Reply> {
    try {
      const sent = request({
        ...{ port, host: '127.0.0.1', agent: this.#agent, signal: AbortSignal.timeout(HANGS_MS) },
        path: `/?plan=${encodeURIComponent(JSON.stringify(plan))}`,
        headers: cookie === undefined ? {} : { cookie },
      }).end();
      const [response]: IncomingMessage[] = await once(sent, 'response');
      if (response === undefined) throw new Error('no response');
      const body = await text(response);
      if (response.statusCode !== 200) return { error: `${response.statusCode}: ${body}` };
      const [set] = response.headers['set-cookie'] ?? [];
      return { answer: JSON.parse(body), cookie: set?.split(';')[0] };
    } catch (error) {
      return { error: `no answer: ${error}` };
    }
  }
}

interface Line {
  send(go: number): Promise<Reply>;
  resume(steps: number): void;
  held(): Promise<Held>;
  done(): void;
}

/** A request that goes as far as it is told, and is held there. */
export class RacingRequest {
  /** How many steps it has: those of its plan, and loading and ending. */
  readonly length: number;
  readonly #line: Line;
  #gone = 0;
  #reply: Promise<Reply> | undefined;
  /** Where it was held last. */
  at: Held | undefined;

  constructor(length: number, line: Line) {
    this.length = length;
    this.#line = line;
  }

  get left(): number {
    return this.length - this.#gone;
  }

  /** Resolves when it is held again, or has been answered. */
  async go(steps: number): Promise<void> {
    this.#gone += steps;
    const held = this.#line.held();
    if (this.#reply === undefined) this.#reply = this.#line.send(steps).finally(() => this.#line.done());
    else this.#line.resume(steps);
    const at = await Promise.race([held, this.#reply]);
    if ('id' in at) this.at = at;
  }

  /** The rest of the way. */
  async finish(): Promise<Reply> {
    if (this.left > 0) await this.go(this.left);
    return (await this.#reply) ?? { error: 'it was never sent' };
  }
}
