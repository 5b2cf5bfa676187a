// Prints `N passed, N failed`, summed over what the runners wrote about themselves: vitest's tests, of `npm test` and on
// containers, and turbo's checks. The argument is the exit code of `npm test`, which is kept; it is never at odds with the sum.

import { readdirSync, readFileSync } from 'node:fs';

const code = Number(process.argv[2]);
const read = (file) => JSON.parse(readFileSync(new URL(`../${file}`, import.meta.url), 'utf8'));

function testsOf(file) {
  const { numPassedTests, numFailedTests, testResults } = read(file);
  // A file that could not be loaded, or set up, fails without a test that does.
  const broken = testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed'),
  );
  return { passed: numPassedTests, failed: numFailedTests + broken.length };
}

const tests = () => testsOf('results/vitest.json');

/** Where no container could be started, nothing was written. */
const containers = () =>
  readdirSync(new URL('../results', import.meta.url))
    .filter((file) => /^containers-.*\.json$/.test(file))
    .map((file) => testsOf(`results/${file}`))
    .reduce(plus, { passed: 0, failed: 0 });

function checks() {
  const [summary] = readdirSync(new URL('../.turbo/runs', import.meta.url));
  const exits = read(`.turbo/runs/${summary}`)
    .tasks.filter(({ task }) => task !== 'build')
    .map(({ execution }) => execution?.exitCode);
  return {
    passed: exits.filter((exit) => exit === 0).length,
    failed: exits.filter((exit) => exit !== 0).length,
  };
}

function plus(one, other) {
  return { passed: one.passed + other.passed, failed: one.failed + other.failed };
}

let sum = { passed: 0, failed: 0 };
for (const runner of [checks, tests, containers]) {
  let counts;
  try {
    counts = runner();
  } catch (error) {
    console.log(`no results of the ${runner.name}: ${error.message}`);
    counts = { passed: 0, failed: 1 };
  }
  sum = plus(sum, counts);
}
if (code !== 0 && sum.failed === 0) sum.failed = 1;
console.log(`${sum.passed} passed, ${sum.failed} failed`);
process.exit(code || Number(sum.failed > 0));
