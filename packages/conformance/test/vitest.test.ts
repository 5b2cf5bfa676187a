import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
const root = fileURLToPath(new URL('fixtures', import.meta.url));

/** What cannot be judged where the harness gives nothing but the store. */
const LACKING = [
  ...['CAPABILITY-001', 'CAPABILITY-002', 'CAPABILITY-003', 'DATA-025', 'DATA-026'],
  ...[1, 2, 3, 4, 5, 6, 7].map((n) => `FAULT-00${n}`),
  ...['ISOLATION-009', 'ISOLATION-010'],
  ...['RACE-005', 'RACE-022', 'RACE-023', 'RACE-041', 'RACE-042', 'RACE-043', 'RACE-044'],
  ...['TTL-009', 'TTL-023', 'TTL-024'],
];

test('what is not as listed fails: failures, passes, and what is unsupported', {
  timeout: 120_000,
}, async () => {
  const report = await new Promise<string>((resolve) => {
    const args = [vitest, 'run', '--root', root, '--reporter', 'json'];
    execFile(process.execPath, args, { maxBuffer: 1 << 26 }, (_, stdout) => resolve(stdout));
  });
  const results: { assertionResults: { status: string; ancestorTitles: string[]; title: string }[] }[] =
    JSON.parse(report).testResults;
  const failed = results
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status !== 'passed')
    .map(({ ancestorTitles: [store], title }) => `${store}: ${title.split(' ')[0]}`);
  expect(failed.sort()).toEqual([
    'a failure that is not listed: IDS-005',
    'lists that are wrong: TTL-001',
    'lists that are wrong: TTL-002',
    ...LACKING.map((id) => `something unsupported that is not listed: ${id}`),
  ]);
});
