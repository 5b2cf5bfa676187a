import { styleText } from 'node:util';
import { requirementOf } from './audit.js';
import type { Result, Status } from './judge.js';
import { countsOf, type Report, totalsOf } from './report.js';
import type { Group, Requirement } from './requirement.js';

const signs: Record<Status, string> = {
  pass: styleText('green', '✓'),
  fail: styleText('red', '✗'),
  warn: styleText('yellow', '!'),
  unsupported: styleText('dim', '-'),
  inconclusive: styleText('magenta', '?'),
  error: styleText('magenta', 'E'),
};

/** One line for a group that is done: how many there are of each, and which did not pass. */
export function groupLine(group: Group, results: readonly Result[]): string {
  const worst = (['fail', 'error', 'inconclusive', 'warn', 'pass'] as const).find((status) =>
    results.some((result) => result.status === status),
  );
  const ids = results
    .filter(({ status }) => status !== 'pass' && status !== 'unsupported')
    .map(({ id }) => id.slice(group.length + 1));
  const list = ids.length > 0 ? ` (${ids.join(' ')})` : '';
  return `${signs[worst ?? 'unsupported']} ${group.padEnd(10)} ${countsOf(totalsOf(results))}${styleText('dim', list)}`;
}

/** What did not pass, the worst last; what was not judged, and why; and what it all comes to. */
export function findings(report: Report, command: string): string {
  const of = (...some: Status[]) => report.results.filter(({ status }) => some.includes(status));
  const found = (['warn', 'inconclusive', 'error', 'fail'] as const).flatMap((status) => of(status));
  const reasons = new Set(of('unsupported').map(({ evidence }) => evidence));
  const unsupported = [...reasons].map((reason) => {
    const ids = of('unsupported').flatMap(({ id, evidence }) => (evidence === reason ? [id] : []));
    return `${signs.unsupported} not judged, for ${reason}:\n  ${styleText('dim', ids.join(' '))}`;
  });
  return [
    ...found.map((result) => details(result, command)),
    ...unsupported,
    `${countsOf(report.totals)}: ${verdictOf(report)}`,
  ].join('\n\n');
}

function verdictOf({ totals: { fail, error, inconclusive }, results }: Report): string {
  const judged = results.filter(({ level, status }) => level === 'MUST' && status === 'pass').length;
  if (fail > 0) return styleText('red', `${fail} of ${fail + judged} MUST not met`);
  const open = error + inconclusive;
  if (open > 0) return styleText('magenta', `${open} could not be judged`);
  return styleText('green', `every MUST that was judged is met`);
}

function details(result: Result, command: string): string {
  const requirement = requirementOf(result.id);
  return [
    `${signs[result.status]} ${styleText('bold', lineOf(requirement))}`,
    entry('seen', result.evidence),
    ...reasons(requirement),
    entry('alone', `${command} --only ${result.id}`),
  ].join('\n');
}

/** A requirement with the reason for it and the words it comes from. */
export function explanation(requirement: Requirement): string {
  return [styleText('bold', lineOf(requirement)), ...reasons(requirement)].join('\n');
}

export const lineOf = ({ id, level, title }: Requirement) => `${id} ${level} ${title}`;

const reasons = ({ why, source }: Requirement) => [
  entry('matters', why),
  entry('source', `“${source.quote}”\n${source.url}`),
];

const entry = (name: string, text: string) =>
  `  ${styleText('dim', name.padEnd(8))}${text.replaceAll('\n', `\n${' '.repeat(10)}`)}`;
