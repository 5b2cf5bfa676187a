import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
const root = fileURLToPath(new URL('fixtures', import.meta.url));

test('what is not as listed fails: failures, passes, and what is unsupported', {
  timeout: 60_000,
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
    'a failure that is not listed: IDS-002',
    'lists that are wrong: TTL-001',
    'lists that are wrong: TTL-002',
    'something unsupported that is not listed: ISOLATION-009',
    'something unsupported that is not listed: ISOLATION-010',
    'something unsupported that is not listed: RACE-005',
    'something unsupported that is not listed: TTL-009',
    'something unsupported that is not listed: TTL-023',
    'something unsupported that is not listed: TTL-024',
  ]);
});
