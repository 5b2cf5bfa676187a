import { requirementOf } from './audit.js';
import { countsOf, type Report, titleOf } from './report.js';
import { groups, levels } from './requirement.js';

/** The report as a Markdown page: totals by level, each result that is not a pass with its evidence, and the whole list. */
export function markdownOf(report: Report): string {
  const { suite, node, date, results } = report;
  const notPassed = results.filter(({ status }) => status !== 'pass' && status !== 'unsupported');
  return [
    `# ${titleOf(report)}`,
    `Judged by ${suite.name} ${suite.version} on Node ${node}, ${date}: ${countsOf(report.totals)}.`,
    table(
      ['level', 'passed', 'not met', 'unsupported', 'not judged'],
      levels.map((level) => {
        const count = (...statuses: string[]) =>
          results.filter((result) => result.level === level && statuses.includes(result.status)).length;
        return [
          level,
          count('pass'),
          count('fail', 'warn'),
          count('unsupported'),
          count('inconclusive', 'error'),
        ];
      }),
    ),
    ...notPassed.flatMap((result) => {
      const { why, source } = requirementOf(result.id);
      return [
        `## ${result.status}: ${result.id} ${result.level} ${result.title}`,
        fenced(result.evidence),
        `Why it matters: ${why}`,
        `> ${source.quote}\n>\n> ${source.url}`,
      ];
    }),
    ...groups.flatMap((group) => {
      const ours = results.filter((result) => result.group === group);
      if (ours.length === 0) return [];
      return [
        `## ${group}`,
        table(
          ['id', 'level', 'status', 'requirement'],
          ours.map(({ id, level, status, title }) => [id, level, status, title]),
        ),
      ];
    }),
    '',
  ].join('\n\n');
}

function table(head: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const line = (cells: readonly unknown[]) =>
    `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

/** A fence that is longer than any in the text. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}\n${text}\n${fence}`;
}
