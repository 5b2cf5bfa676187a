import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { styleText } from 'node:util';
import { type Level, type Requirement, select, UnfitHarness } from '@session-stores/conformance';
import {
  parsed,
  runProgram,
  type StoreName,
  storeNames,
  storesIn,
  UsageError,
} from '@session-stores/every-store';
import { ServerUnavailableError } from '@session-stores/test-servers';
import { unconfirmed } from './confirmed.js';
import { judge } from './judge.js';
import { markdownOf } from './markdown.js';
import {
  type Asked,
  basisOf,
  countOf,
  entriesOf,
  type Judged,
  type Matrix,
  type NotJudged,
  signs,
  titleOf,
} from './matrix.js';
import { pageOf } from './page.js';

const usage = `Usage: matrix [--store NAME,…] [--level LEVEL] [--only NAME,…] [--from FILE] [--json FILE] [--markdown FILE] [--html FILE]

Judges our stores and the published ones by the conformance suite, each on its real server.

  --store    ours, peers, all, or names: ${storeNames.join(', ')}. Default: all
  --level    must, should or may: leaves out what binds less. Default: may
  --only     just these requirements: ids, or whole groups, as in TTL,IDS-001; may be repeated
  --from     judges nothing, but takes the results from a file that --json has written
  --json     writes the results there,
  --markdown as a page for people who choose,
  --html     as a page with every result

Exit code: 0 every MUST that was judged is met, 1 one is not, 2 that could not be found out.`;

const levels = ['MUST', 'SHOULD', 'MAY'] as const satisfies readonly Level[];

interface Options {
  readonly matrix: () => Promise<Matrix>;
  readonly files: readonly { readonly file: string; readonly format: (matrix: Matrix) => string }[];
}

const formats = {
  json: (matrix: Matrix) => `${JSON.stringify(matrix, null, 1)}\n`,
  markdown: markdownOf,
  html: pageOf,
};

function options(): Options | undefined {
  const { help, from, store, level, only, ...given } = parse();
  if (help) return undefined;
  const files = (['json', 'markdown', 'html'] as const).flatMap((format) => {
    const file = given[format];
    return file === undefined ? [] : [{ file, format: formats[format] }];
  });
  if (from === undefined) {
    const [stores, asked] = [storesIn(store ?? 'all', storeNames), selected(level ?? 'may', only)];
    return { files, matrix: () => judgeAll(stores, asked) };
  }
  const idle = Object.entries({ store, level, only }).find(([, value]) => value !== undefined);
  if (idle) throw new UsageError(`--from judges nothing, got --${idle[0]} ${idle[1]} as well`);
  return { files, matrix: () => read(from) };
}

function parse() {
  const string = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  return parsed({
    options: {
      ...{ store: string, level: string, only: { ...string, multiple: true }, from: string },
      ...{ json: string, markdown: string, html: string, help: flag },
    },
  });
}

function selected(level: string, only: readonly string[] | undefined): readonly Requirement[] {
  const least = levels.find((each) => each.toLowerCase() === level.toLowerCase());
  if (least === undefined) throw new UsageError(`--level must be must, should or may, got '${level}'`);
  const asked = named(least, only);
  if (asked.length > 0) return asked;
  throw new UsageError(`--only must name what binds as much as --level ${level}, got '${only}'`);
}

function named(level: Level, only: readonly string[] | undefined): readonly Requirement[] {
  try {
    return select({ level, ...(only && { only: only.flatMap((names) => names.split(',')) }) });
  } catch (error) {
    throw new UsageError(`--only: ${error instanceof Error ? error.message : error}`);
  }
}

/** Judges a store, with a line for each thing that it does not meet, or says why it cannot be judged. */
async function tryOne(name: StoreName, asked: readonly Requirement[]): Promise<Judged | string> {
  let done = 0;
  try {
    const judged = await judge(name, asked, () => {
      done += 1;
      if (process.stdout.isTTY) process.stdout.write(`\r${name}: ${done} of ${asked.length}\r`);
    });
    print(asked, judged);
    return judged;
  } catch (error) {
    if (!(error instanceof ServerUnavailableError || error instanceof UnfitHarness)) throw error;
    console.log(`${signs.error} ${name} could not be judged: ${error.message}`);
    return error.message;
  }
}

const colours = { fail: 'red', warn: 'yellow', inconclusive: 'magenta', error: 'magenta' } as const;

function print(asked: readonly Asked[], judged: Judged): void {
  const entries = entriesOf(asked, judged);
  const basis = basisOf(judged);
  const counts = [
    `${entries.filter(({ status }) => status === 'pass').length} met`,
    ...levels.flatMap((level) => {
      const count = countOf(entries, level, level === 'MUST' ? 'fail' : 'warn');
      return count > 0 ? [`${count} ${level} not met`] : [];
    }),
  ];
  console.log(
    `${styleText('bold', titleOf(judged))}${basis && `, ${basis}`}: ${counts.join(', ')} (${judged.seconds} s)`,
  );
  for (const { id, level, status, title, evidence } of entries) {
    if (status === 'pass' || status === 'unsupported') continue;
    // Of published stores they are many, and in the files.
    if (status === 'warn' && !judged.ours && asked.length > 10) continue;
    console.log(`  ${styleText(colours[status], signs[status])} ${id} ${level} ${title}`);
    console.log(`    ${evidence.split('\n')[0]}`);
  }
}

async function judgeAll(names: readonly StoreName[], asked: readonly Requirement[]): Promise<Matrix> {
  const stores: Judged[] = [];
  const notJudged: NotJudged[] = [];
  for (const name of names) {
    const found = await tryOne(name, asked);
    if (typeof found === 'string') notJudged.push({ name, because: found });
    else stores.push(found);
  }
  return {
    // As they are asked for today.
    requirements: asked.map(({ run: _run, alone: _alone, ...requirement }) => requirement),
    stores,
    notJudged,
  };
}

async function read(file: string): Promise<Matrix> {
  try {
    const matrix: Partial<Matrix> = JSON.parse(await readFile(file, 'utf8'));
    const { requirements, stores, notJudged } = matrix;
    if (requirements && stores && notJudged) return { requirements, stores, notJudged };
    throw new TypeError('it has no requirements, stores and notJudged');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`--from must be a file that --json has written, got '${file}': ${reason}`);
  }
}

async function main(): Promise<number> {
  const given = options();
  if (given === undefined) {
    console.log(usage);
    return 0;
  }
  const matrix = await given.matrix();
  for (const { file, format } of given.files) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, format(matrix));
  }
  const open = unconfirmed(matrix);
  if (open.length > 0)
    console.log(`Not confirmed yet by reading the store's source, ${open.length}: ${open.join(' ')}`);
  const results = matrix.stores.flatMap(({ results }) => results);
  if (results.some(({ status }) => status === 'fail')) return 1;
  const isOpen = results.some(({ status }) => status === 'inconclusive' || status === 'error');
  return isOpen || matrix.notJudged.length > 0 ? 2 : 0;
}

runProgram(main, usage);
