import { randomInt } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { parsed, runProgram, storesIn, UsageError } from '@session-stores/every-store';
import { startServer } from '@session-stores/test-servers';
import { markdownTable } from 'markdown-table';
import { Applications } from './applications.js';
import { measure } from './cost.js';
import { race, type Tally } from './race.js';
import { scenarios } from './scenarios.js';
import { type StoreName, storeKind, storeNames } from './stores.js';

const usage = `Usage: races [--store NAME,…] [--scenario TEXT] [--rounds N] [--seed N] [--skew SECONDS] [--json FILE]
       races --cost [--store NAME,…] [--rounds N] [--seed N]

Two application processes with stock express-session on one store; requests on one session that meet in every order.

  --store    ours, peers, all, or names: ${storeNames.join(', ')}. Default: ours
  --scenario those with this text in their names. Default: all
  --rounds   of each scenario. Default: 100
  --seed     draws how the requests meet. Default: a new one, which is printed
  --skew     sets the clock of the second process ahead by so many seconds. Default: 0
  --json     writes the results there
  --cost     measures a save without conflict on our stores, against conflicts: 'overwrite' and against a plain set

Exit code: 0 nothing wrong, 1 something found, 2 it could not run.`;

interface Result {
  readonly store: StoreName;
  readonly seconds: number;
  readonly tallies: readonly Tally[];
  readonly uncaught: readonly string[];
}

function options() {
  const { help, ...values } = parse();
  if (help) return undefined;
  const {
    store = 'ours',
    scenario = '',
    rounds = '100',
    seed = `${randomInt(2 ** 31)}`,
    skew = '0',
    json,
    cost,
  } = values;
  const only = scenarios.filter(({ name }) => name.includes(scenario));
  if (only.length === 0) throw new UsageError(`--scenario must be in a scenario's name, got '${scenario}'`);
  const stores = storesIn(store, storeNames);
  const peer = stores.find((each) => !storeKind(each).ours);
  if (cost && peer !== undefined) throw new UsageError(`--cost is of our stores, got --store ${peer}`);
  return {
    stores,
    only,
    rounds: whole('rounds', rounds, 1),
    seed: whole('seed', seed, 0),
    skew: whole('skew', skew, 0),
    json,
    cost,
  };
}

function parse() {
  const string = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  return parsed({
    options: {
      ...{ store: string, scenario: string, rounds: string, seed: string, skew: string, json: string },
      ...{ cost: flag, help: flag },
    },
  });
}

function whole(option: string, given: string, least: number): number {
  const number = Number(given);
  if (/^\d+$/.test(given) && number >= least && number < 2 ** 31) return number;
  throw new UsageError(`--${option} must be a whole number from ${least} to ${2 ** 31 - 1}, got '${given}'`);
}

/** The server that a store needs, or nothing. */
async function serverFor(store: StoreName) {
  const { server } = storeKind(store);
  return server === undefined ? undefined : await startServer(server);
}

async function run(store: StoreName, skew: number, about: Parameters<typeof race>[1]): Promise<Result> {
  await using server = await serverFor(store);
  const applications = await Applications.start(store, server?.url, skew * 1000);
  try {
    const start = performance.now();
    const tallies = await race(applications, about);
    const seconds = Math.round((performance.now() - start) / 100) / 10;
    return { store, seconds, tallies, uncaught: applications.uncaught };
  } finally {
    await applications.stop();
  }
}

/** What a save costs that loses nothing, in what other ways to save cost. */
async function compare(names: readonly StoreName[], rounds: number, seed: number): Promise<void> {
  const rows: string[][] = [];
  for (const name of names) {
    await using server = await serverFor(name);
    for (const { pace, against, ratio, spread } of await measure(name, server?.url ?? '', { rounds, seed })) {
      const [least, most] = spread.map((each) => each.toFixed(2));
      rows.push([name, `${pace}, against ${against}`, ratio.toFixed(2), `${least} to ${most}`]);
    }
  }
  const head = ['store', 'saves', 'ratio', 'in tenths'];
  console.log(markdownTable([head, ...rows], { align: ['l', 'l', 'r', 'r'] }));
}

const kinds = ['rounds', 'revived', 'lost', 'errors'] as const;

function table(title: string, tallies: readonly Tally[]): string {
  const rows = tallies.map((each) => [each.scenario, ...kinds.map((kind) => `${each[kind]}`)]);
  return `\n${markdownTable([[title, ...kinds], ...rows], { align: ['l', 'r', 'r', 'r', 'r'] })}`;
}

/** All scenarios of a store as one line. */
function total({ store, tallies }: Result): Tally {
  const sum = (kind: (typeof kinds)[number]) => tallies.reduce((total, each) => total + each[kind], 0);
  const sums = { rounds: sum('rounds'), revived: sum('revived'), lost: sum('lost'), errors: sum('errors') };
  return { scenario: store, ...sums, examples: [] };
}

function print({ store, seconds, tallies, uncaught }: Result): void {
  console.log(table(`${store}, ${seconds} s`, tallies));
  for (const { scenario, examples } of tallies)
    if (examples[0] !== undefined) console.log(`- ${scenario}: ${examples[0]}`);
  for (const error of uncaught) console.log(`- uncaught: ${error}`);
}

function isClean({ tallies, uncaught }: Result): boolean {
  return uncaught.length === 0 && tallies.every(({ revived, lost, errors }) => revived + lost + errors === 0);
}

async function main(): Promise<number> {
  const asked = options();
  if (asked === undefined) {
    console.log(usage);
    return 0;
  }
  const { stores, only, rounds, seed, skew, json, cost } = asked;
  if (cost) {
    await compare(stores, rounds, seed);
    return 0;
  }
  console.log(`${rounds} rounds of each scenario, --seed ${seed}`);
  const results: Result[] = [];
  for (const name of stores) {
    const result = await run(name, skew, { rounds, seed, only });
    results.push(result);
    print(result);
  }
  console.log(table('all scenarios', results.map(total)));
  if (json !== undefined) await writeFile(json, `${JSON.stringify({ rounds, seed, results }, null, 2)}\n`);
  return results.every(isClean) ? 0 : 1;
}

runProgram(main, usage);
