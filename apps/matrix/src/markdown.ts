import { markdownTable } from 'markdown-table';
import { causeOf } from './confirmed.js';
import {
  basisOf,
  commandFor,
  countOf,
  type Entry,
  entriesOf,
  type Judged,
  type Matrix,
  meanings,
  packagesOf,
  repeatsOf,
  titleOf,
} from './matrix.js';

/** The matrix in short, for a team that chooses: what each store does not meet, and why. */
export function markdownOf(matrix: Matrix): string {
  const { requirements, stores, notJudged } = matrix;
  const repeats = repeatsOf(stores);
  const binding: Matrix = { ...matrix, requirements: requirements.filter(({ level }) => level !== 'MAY') };
  const broken = stores.filter(({ results }) => results.some(({ status }) => status === 'fail'));
  const count = (level: string) => requirements.filter((each) => each.level === level).length;
  return `# The matrix

${packagesOf(stores)}, judged by the same ${requirements.length} [requirements](requirements.md), each on its
real server and opened as its own documentation says.${repeats && `\nSome are in more than one of the ${stores.length} rows: ${repeats}.`}

[matrix.html](matrix.html) is the same as a grid: open it in a browser, and every cell tells what was seen, why that matters and how to see it again.

${count('MUST')} of them are a **MUST**: express-session requires it, or its middleware relies on it. ${count('SHOULD')} are a **SHOULD**: express-session never
promised it, and a store that does not do it is not broken, but somebody may lose a session or data. Most of these are about requests that
overtake each other ([concurrency.md](concurrency.md)). The ${count('MAY')} that are a MAY are not counted here.

\`2 ✗\` two MUST are not met · \`3 !\` three SHOULD are not met · \`✓\` all that was judged is met · \`?\` some could not be found out · \`–\` nothing was judged

${overview(binding)}

${groupsOf(binding)
  .map((group) => `- **${group}**: ${meanings[group]}`)
  .join('\n')}

## What a MUST asks for that is not done

${broken.map((judged) => failures(requirements, judged)).join('\n\n') || 'Every MUST that was judged is met.'}

${notJudged.length === 0 ? '' : `## Not judged\n\n${notJudged.map(({ name, because }) => `- ${name}: ${text(because)}`).join('\n')}\n\n`}## How it was made

\`\`\`sh
${MAKE}
${commandFor('connect-redis-10', 'RACE-001')} # one cell of it
\`\`\`

It starts the servers it needs, or takes those that \`REDIS_URL\`, \`MARIADB_URL\`, \`MYSQL_URL\`, \`POSTGRES_URL\` and \`MONGO_URL\` name.
CI tests our stores on newer servers, and on older ones: all the images of
[packages/test-servers/src/images.ts](../packages/test-servers/src/images.ts).

A published store gets what ours get: connections of its own, a second process on the same data, a look at the deadlines on its server. What
could not be judged, because the store lacks an optional method or nothing lets us look, counts as not judged.

${provenance(binding)}
`;
}

/** What writes all of it anew. */
const MAKE = 'npm run matrix -- --json docs/matrix.json --markdown docs/matrix.md --html docs/matrix.html';

/** Outside of code, what Markdown would take for markup: names such as __proto__. */
const text = (sentence: string) =>
  sentence.replace(/`[^`]+`|[\\_*<>|[\]]/g, (found) => (found.length > 1 ? found : `\\${found}`));

const groupsOf = ({ requirements }: Matrix) => [...new Set(requirements.map(({ group }) => group))];

function overview(matrix: Matrix): string {
  const { requirements, stores } = matrix;
  const groups = groupsOf(matrix);
  const rows = stores.map((judged) => {
    const entries = entriesOf(requirements, judged);
    return [
      titleOf(judged),
      basisOf(judged) || '—',
      ...groups.map((group) => summary(entries.filter((entry) => entry.group === group))),
      summary(entries),
    ];
  });
  const align = ['l', 'l', ...groups.map(() => 'r'), 'r'];
  return markdownTable([['store', 'on', ...groups, 'all'], ...rows], { align });
}

function summary(entries: readonly Entry[]): string {
  const broken = countOf(entries, 'MUST', 'fail');
  const missing = countOf(entries, 'SHOULD', 'warn');
  const isOpen = entries.some(({ status }) => status === 'inconclusive' || status === 'error');
  const parts = [broken > 0 && `${broken} ✗`, missing > 0 && `${missing} !`, isOpen && '?'].filter(Boolean);
  if (parts.length > 0) return parts.join(' ');
  return entries.some(({ status }) => status === 'pass') ? '✓' : '–';
}

/** The MUSTs that a store does not meet, by what was found in its source. */
function failures(requirements: Matrix['requirements'], judged: Judged): string {
  const failed = entriesOf(requirements, judged).filter(({ status }) => status === 'fail');
  const causes = new Set(failed.map(({ id }) => causeOf(judged, id)));
  const items = [...causes].flatMap((cause) => {
    const ids = failed.filter(({ id }) => causeOf(judged, id) === cause);
    const asked = ids.map(({ id, title }) => `**${id}** ${text(title)}.`);
    if (cause) return [`- ${asked.join(' ')} ${cause.because} (\`${cause.where}\`)`];
    return asked.map((each) => `- ${each}${judged.ours ? '' : ' *Not confirmed yet in its source.*'}`);
  });
  const basis = basisOf(judged);
  return `### ${titleOf(judged)}${basis && `, on ${basis}`}\n\n${items.join('\n')}`;
}

function provenance({ requirements, stores }: Matrix): string {
  const rows = stores.map((judged) => {
    const { suite, node, date, seconds } = judged;
    const entries = entriesOf(requirements, judged);
    const count = (...statuses: string[]) => entries.filter(({ status }) => statuses.includes(status)).length;
    return [
      titleOf(judged),
      basisOf(judged) || '—',
      ...[count('pass'), count('fail', 'warn'), count('unsupported', 'inconclusive', 'error')].map(String),
      ...[`${seconds} s`, `${suite.version}`, node, date.slice(0, 10)],
    ];
  });
  const head = ['store', 'on', 'met', 'not met', 'not judged', 'took', 'suite', 'Node', 'date'];
  return markdownTable([head, ...rows], { align: ['l', 'l', 'r', 'r', 'r', 'r', 'l', 'l', 'l'] });
}
