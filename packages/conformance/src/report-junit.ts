import XMLBuilder from 'fast-xml-builder';
import { requirementOf } from './audit.js';
import { type Report, titleOf } from './report.js';
import { groups } from './requirement.js';

const builder = new XMLBuilder({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  format: true,
  suppressEmptyNode: true,
});

type Entry = Report['results'][number];

/**
 * The report as JUnit's XML, a suite for each group. What is not met but for a SHOULD or MAY, and what is unsupported, is
 * `skipped` with the evidence, for whoever reads the file counts failures.
 */
export function junitOf(report: Report): string {
  const suites = groups.flatMap((group) => {
    const ours = report.results.filter((result) => result.group === group);
    return ours.length === 0 ? [] : [{ '@name': group, ...sums(ours), testcase: ours.map(testCase) }];
  });
  return builder.build({
    '?xml': { '@version': '1.0', '@encoding': 'UTF-8' },
    testsuites: { '@name': xml(titleOf(report)), ...sums(report.results), testsuite: suites },
  });
}

const outcomes = {
  pass: undefined,
  fail: 'failure',
  warn: 'skipped',
  unsupported: 'skipped',
  inconclusive: 'error',
  error: 'error',
} as const satisfies Record<Entry['status'], string | undefined>;

function sums(results: readonly Entry[]) {
  const count = (outcome: string) => results.filter(({ status }) => outcomes[status] === outcome).length;
  return {
    '@tests': results.length,
    '@failures': count('failure'),
    '@errors': count('error'),
    '@skipped': count('skipped'),
    '@time': seconds(results.reduce((sum, { ms }) => sum + ms, 0)),
  };
}

function testCase(result: Entry) {
  const { id, group, level, title, status, ms } = result;
  const outcome = outcomes[status];
  const { why, source } = requirementOf(id);
  const message = `${status}: ${result.evidence.split('\n')[0]}`;
  const text = `${result.evidence}\nWhy it matters: ${why}\n${source.url}`;
  return {
    '@name': `${id} ${level} ${title}`,
    '@classname': group,
    '@time': seconds(ms),
    ...(outcome && { [outcome]: { '@message': xml(message), '#text': xml(text) } }),
  };
}

const seconds = (ms: number) => (ms / 1_000).toFixed(3);

/** XML has no way to write the other characters. */
function xml(text: string): string {
  return text.replace(/[^\t\n\r -\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd');
}
