import { setTimeout as delay } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { Applications, RacingRequest, Reply } from './applications.js';
import type { Step } from './protocol.js';
import { type Scenario, SHORT, scenarios } from './scenarios.js';
import { Choices, draw, type Schedule, type Stage } from './schedule.js';

/** What is wrong after a round: a session that has ended is there again, a change is not there, a request has failed. */
type Kind = 'revived' | 'lost' | 'errors';

interface Finding {
  readonly kind: Kind;
  readonly what: string;
}

/** One scenario's rounds: how many, and how many of them had what wrong. */
export interface Tally extends Readonly<Record<Kind, number>> {
  readonly scenario: string;
  readonly rounds: number;
  /** The first findings, with the way in which the requests had met. */
  readonly examples: readonly string[];
}

/** Requests under way at once, and rounds that wait for an expiry at once. */
const BUSY = 200;
const WAITING = 400;
const EXAMPLES = 3;
/** How often requests try to meet in a session with a short life. */
const ATTEMPTS = 10;
/** A coarse server ends a session up to a second late. */
const EXPIRY_LIMIT_MS = 10_000;

/** Plays each scenario that often; the same seed draws the same meetings. */
export async function race(
  applications: Applications,
  { rounds, seed, only = scenarios }: { rounds: number; seed: number; only?: readonly Scenario[] },
): Promise<Tally[]> {
  const tallies = new Map<Scenario, Tally>();
  const play = async (scenario: Scenario, limit = pLimit(Math.ceil(BUSY / scenario.requests.length))) => {
    const choices = new Choices(seed + scenarios.indexOf(scenario));
    const all = Array.from({ length: rounds }, (_, n) => new Round(applications, scenario, n, choices));
    const findings = await limit.map(all, (round) => round.play());
    const count = (kind: Kind) => findings.filter((some) => some.some((each) => each.kind === kind)).length;
    tallies.set(scenario, {
      scenario: scenario.name,
      rounds,
      ...{ revived: count('revived'), lost: count('lost'), errors: count('errors') },
      examples: findings
        .flatMap((some, n) => some.map(({ kind, what }) => `${kind}: ${what} (${all[n]})`))
        .slice(0, EXAMPLES),
    });
  };

  const waits = ({ meet }: Scenario) => meet === 'overdue' || meet === 'gone';
  const waiting = pLimit(WAITING);
  await Promise.all([
    ...only.filter(waits).map((scenario) => play(scenario, waiting)),
    (async () => {
      for (const scenario of only) if (!waits(scenario)) await play(scenario);
    })(),
  ]);
  return only.flatMap((scenario) => tallies.get(scenario) ?? []);
}

/** Requests that meet over one session, and what is wrong afterwards. */
class Round {
  readonly #applications: Applications;
  readonly #scenario: Scenario;
  readonly #name: string;
  readonly #schedule: Schedule;
  /** Which of the two applications serves each of the requests, and the login. */
  readonly #sites: readonly number[];
  readonly #loginSite: number;
  readonly #findings: Finding[] = [];

  constructor(applications: Applications, scenario: Scenario, number: number, choices: Choices) {
    this.#applications = applications;
    this.#scenario = scenario;
    this.#name = `${scenarios.indexOf(scenario)}.${number}`;
    this.#schedule = schedule(scenario, choices);
    this.#sites = scenario.requests.map(() => choices.between(0, 1));
    this.#loginSite = choices.between(0, 1);
  }

  /** Answers what is wrong. */
  async play(): Promise<readonly Finding[]> {
    const tell = (what: string) => this.#find('errors', what);
    await this.#applications.hearing(this.#name, tell, async () => {
      for (let attempt = 1; !(await this.#meet()); attempt++)
        if (attempt === ATTEMPTS) return tell('the session expired each time before all requests were there');
    });
    return this.#findings;
  }

  /** How the requests met: `A@0 load; B@1 load, destroy, end + A put; A end`. */
  toString(): string {
    if (this.#scenario.meet === 'at once') return 'all at once';
    const gone = this.#scenario.requests.map(() => 0);
    const stage = (stage: Stage) =>
      stage.map(({ who, steps }) => {
        const names = ['load', ...(this.#scenario.requests[who] ?? []).map(([name]) => name), 'end'];
        const from = gone[who] ?? 0;
        gone[who] = from + steps;
        return `${'ABC'[who]}@${this.#sites[who]} ${names.slice(from, from + steps).join(', ')}`;
      });
    return this.#schedule.map((each) => (each === 'wait' ? each : stage(each).join(' + '))).join('; ');
  }

  /** Answers whether they did meet: a session with a short life may have ended before all were there. */
  async #meet(): Promise<boolean> {
    const { login, requests, meet } = this.#scenario;
    const begun = performance.now();
    let session = '';
    let cookie: string | undefined;
    if (login !== undefined) {
      const reply = await this.#request('login', this.#loginSite, login, session, cookie).finish();
      if ('error' in reply) {
        this.#find('errors', `login: ${reply.error}`);
        return true;
      }
      [session, cookie] = [reply.answer.id, reply.cookie];
    }
    // At the latest.
    const expires = performance.now() + SHORT;

    const racing: RacingRequest[] = [];
    let inTime = true;
    for (const stage of this.#schedule) {
      if (stage === 'wait') {
        // Where deadlines are rounded down, it may have been a second less.
        inTime = meet !== 'overdue' || performance.now() < begun + SHORT - 1000;
        if (inTime) await this.#wait(session, expires);
        continue;
      }
      await Promise.all(
        stage.map(({ who, steps }) => {
          racing[who] ??= this.#request(
            `${who}`,
            this.#sites[who] ?? 0,
            requests[who] ?? [],
            session,
            cookie,
          );
          return racing[who].go(steps);
        }),
      );
      session ||= racing[0]?.at?.id ?? '';
    }
    const replies = await Promise.all(racing.map((each) => each.finish()));
    if (inTime) await this.#judge(session, replies);
    return inTime;
  }

  #request(who: string, site: number, steps: readonly Step[], session: string, cookie: string | undefined) {
    const name = `${this.#name}.${who}`;
    return this.#applications.request(site, { round: this.#name, name, session, steps }, cookie);
  }

  async #wait(session: string, expires: number): Promise<void> {
    await delay(expires - performance.now());
    if (this.#scenario.meet !== 'gone') return;
    const limit = expires + EXPIRY_LIMIT_MS;
    while ((await this.#applications.find(session)).some((found) => found.session !== null)) {
      if (performance.now() > limit) return this.#find('errors', 'the session does not expire');
      await delay(50);
    }
  }

  async #judge(session: string, replies: readonly Reply[]): Promise<void> {
    const { kept, requests, meet } = this.#scenario;
    const answers = replies.flatMap((reply) => ('answer' in reply ? [reply.answer] : []));
    for (const reply of replies) if ('error' in reply) this.#find('errors', reply.error);
    // Nobody knows what a request has done that was not answered.
    if (answers.length < replies.length) return;

    for (const [who, { id }] of answers.entries())
      if (requests[who]?.some(([step]) => step === 'regenerate')) await this.#judgeNew(id, session);
    const id = session || (answers[0]?.id ?? '');
    for (const { session: data, left } of await this.#applications.find(id)) {
      // What has expired may lie on the server until it is swept.
      const there = data !== null || (left !== undefined && (meet !== 'gone' || left > 0));
      const wrong = kept === undefined ? there : data === null || !kept(data, answers, left ?? 0);
      const kind = kept === undefined ? 'revived' : 'lost';
      if (wrong) return this.#find(kind, `${JSON.stringify(data)}, ${left} ms left`);
    }
  }

  /** A session that replaces another one is there, under an id of its own. */
  async #judgeNew(id: string, old: string): Promise<void> {
    for (const { session } of await this.#applications.find(id))
      if (session === null || id === old) this.#find('lost', 'the new session');
  }

  #find(kind: Kind, what: string): void {
    this.#findings.push({ kind, what });
  }
}

function schedule({ requests, meet = 'drawn', lead = 0 }: Scenario, choices: Choices): Schedule {
  // Loading and ending are steps as well.
  const whole = requests.map((steps, who) => ({ who, steps: steps.length + 2 }));
  const [first, ...others] = whole;
  if (meet === 'at once' || first === undefined) return [whole];
  if (meet === 'drawn') {
    const lengths = whole.map(({ who, steps }) => (who === 0 ? steps - lead : steps));
    return [...(lead > 0 ? [[{ who: 0, steps: lead }]] : []), ...draw(choices, lengths)];
  }
  const held = choices.between(1, first.steps - 1);
  return [
    [{ who: 0, steps: held }],
    ...(others.length > 0 ? [others] : []),
    'wait',
    [{ who: 0, steps: first.steps - held }],
  ];
}
