import { access, mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { clearLine, cursorTo } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { parseArgs, styleText } from 'node:util';
import { audit, requirementOf, type Selection, select } from './audit.js';
import { type About, look, UnfitHarness } from './contain.js';
import type { Result } from './judge.js';
import { type Report, reportOf, titleOf } from './report.js';
import { junitOf } from './report-junit.js';
import { markdownOf } from './report-markdown.js';
import { explanation, findings, groupLine, lineOf } from './report-text.js';
import { groups, levels } from './requirement.js';

const NAME = 'npx @session-stores/conformance';

const HELP = `Judges an express-session store.

${NAME} <module> [options]

<module>          JavaScript, or TypeScript where Node reads it; its default export makes the store:
                  export default () => new MyStore();
--level <level>   must, should or may: leaves out what binds less. Default may.
--only <ids>      just these requirements, or whole groups: --only TTL,IDS-001; may be repeated
--json <file>     writes the report as JSON,
--markdown <file> as Markdown,
--junit <file>    as JUnit's XML
--list            says which requirements there are
--explain <id>    says what a requirement asks for, why, and where that is written
--help

Exit code: 0 when every MUST is met, 1 when one is not, 2 when that could not be found out.`;

const formats = {
  json: (report: Report) => `${JSON.stringify(report, null, 2)}\n`,
  markdown: markdownOf,
  junit: junitOf,
};

/** What the caller did wrong, as a sentence. */
class Refusal extends Error {}

type Command = { readonly print: string } | JudgeCommand;

interface JudgeCommand {
  readonly module: string;
  readonly selection: Selection;
  readonly files: readonly { readonly file: string; readonly format: (report: Report) => string }[];
}

function read(args: readonly string[]): Command {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      level: { type: 'string', default: 'may' },
      only: { type: 'string', multiple: true },
      json: { type: 'string' },
      markdown: { type: 'string' },
      junit: { type: 'string' },
      list: { type: 'boolean' },
      explain: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const level = levels.find((each) => each.toLowerCase() === values.level.toLowerCase());
  if (!level) throw new Refusal(`--level has to be must, should or may, not ${values.level}`);
  const only = values.only?.flatMap((names) => names.split(','));
  const selection = { level, ...(only && { only }) };
  const chosen = select(selection);

  if (values.help) return { print: HELP };
  if (values.explain !== undefined) return { print: explanation(requirementOf(values.explain)) };
  if (values.list) return { print: chosen.map(lineOf).join('\n') };
  const [module, ...more] = positionals;
  if (module === undefined) throw new Refusal('say which module makes the store; --help says more');
  if (more.length > 0) throw new Refusal(`one module is judged at a time, not ${positionals.join(' ')}`);
  if (chosen.length === 0) throw new Refusal(`none of ${only?.join(', ')} binds as much as ${level}`);
  const files = (['json', 'markdown', 'junit'] as const).flatMap((name) => {
    const file = values[name];
    return file === undefined ? [] : [{ file, format: formats[name] }];
  });
  return { module, selection, files };
}

/** Says what the module makes, or why that cannot be judged. */
async function lookAt(path: string): Promise<{ module: URL; about: About }> {
  const file = resolve(path);
  await access(file).catch(() => {
    throw new Refusal(`there is no file ${file}`);
  });
  const module = pathToFileURL(file);
  try {
    return { module, about: await look(module) };
  } catch (error) {
    if (!(error instanceof UnfitHarness)) throw error;
    throw new Refusal(
      /Unknown file extension "\.[cm]?ts"/.test(error.message)
        ? `Node ${process.versions.node} reads no TypeScript; Node 22.18 does, and others do with NODE_OPTIONS='--import tsx' once tsx is installed`
        : `${path} makes no store that could be judged: ${error.message}`,
    );
  }
}

/** A line that the next one replaces, for who looks on. */
function showProgress(text: string): void {
  if (!process.stdout.isTTY) return;
  clearLine(process.stdout, 0);
  cursorTo(process.stdout, 0);
  process.stdout.write(text);
}

async function judgeAll(module: URL, selection: Selection): Promise<Result[]> {
  const chosen = select(selection);
  const open = new Map(groups.map((name) => [name, chosen.filter(({ group }) => group === name)]));
  const results = new Map<string, Result>();
  const onResult = (result: Result) => {
    results.set(result.id, result);
    const { group } = requirementOf(result.id);
    const done = (open.get(group) ?? []).flatMap(({ id }) => results.get(id) ?? []);
    if (done.length === open.get(group)?.length) {
      showProgress('');
      console.log(groupLine(group, done));
    }
    if (results.size < chosen.length) showProgress(`  ${results.size} of ${chosen.length}`);
  };
  return audit(module, { ...selection, onResult });
}

async function judge({ module: path, selection, files }: JudgeCommand): Promise<number> {
  const { module, about } = await lookAt(path);
  console.log(`${styleText('bold', titleOf(about))}\n`);
  const report = reportOf(await judgeAll(module, selection), about);
  console.log(`\n${findings(report, `${NAME} ${path}`)}`);
  for (const { file, format } of files) {
    await mkdir(dirname(resolve(file)), { recursive: true });
    await writeFile(file, format(report));
  }
  const { fail, inconclusive, error } = report.totals;
  return fail > 0 ? 1 : inconclusive + error > 0 ? 2 : 0;
}

async function main(args: readonly string[]): Promise<number> {
  let command: Command;
  try {
    command = read(args);
  } catch (error) {
    throw new Refusal(error instanceof Error ? error.message : String(error));
  }
  if (!('print' in command)) return judge(command);
  console.log(command.print);
  return 0;
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Refusal ? `session-store-conformance: ${error.message}` : error);
  return 2;
});
