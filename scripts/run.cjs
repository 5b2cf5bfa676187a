'use strict';

// What `npm start`, `npm test` and the project's own `npm run …` run. An old Node must be able to parse this file, to be told that it
// is too old: so the syntax stays at ES2017, and nothing but package.json is loaded before the check.

const { engines, packageManager } = require('../package.json');

function isSupported(version) {
  const [major, minor] = version.split('.').map(Number);
  return engines.node.split(' || ').some((range) => {
    const [, operator, leastMajor, leastMinor] = /^(\^|>=)(\d+)\.(\d+)/.exec(range);
    return major === +leastMajor ? minor >= +leastMinor : operator === '>=' && major > +leastMajor;
  });
}

function fail(sentence) {
  console.error(`session-stores: ${sentence}`);
  process.exit(1);
}

if (!isSupported(process.versions.node)) {
  const least = engines.node.match(/\d+\.\d+/g).join(' or ');
  fail(`Node ${least} or newer is needed, and this is Node ${process.versions.node} (${process.execPath}).`);
}

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const root = path.dirname(__dirname);

/** The one folder outside the clone that is written to. */
function cacheFolder() {
  const { SESSION_STORES_CACHE, XDG_CACHE_HOME } = process.env;
  const usual = () => path.join(XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'session-stores');
  try {
    const folder = path.resolve(SESSION_STORES_CACHE || usual());
    fs.mkdirSync(folder, { recursive: true });
    fs.accessSync(folder, fs.constants.W_OK);
    return folder;
  } catch (error) {
    return fail(
      `the cache folder cannot be written (${error.message}); SESSION_STORES_CACHE names another one.`,
    );
  }
}

const cache = cacheFolder();
const pnpmHome = path.join(cache, packageManager);
const pnpmBin = path.join(pnpmHome, 'node_modules', '.bin');

const applicationEnv = Object.assign({}, process.env, { SESSION_STORES_CACHE: cache });
const toolEnv = Object.assign({}, applicationEnv, {
  PATH: pnpmBin + path.delimiter + process.env.PATH,
  // What tools would leave in the home folder goes into the cache folder.
  XDG_CACHE_HOME: cache,
  XDG_STATE_HOME: cache,
  npm_config_cache: path.join(cache, 'npm'),
  npm_config_store_dir: path.join(cache, 'pnpm-store'),
  npm_config_update_notifier: 'false',
  // Without a network the answer comes after 20 seconds, not after 70.
  npm_config_fetch_retry_maxtimeout: '10000',
  TURBO_TELEMETRY_DISABLED: '1',
  TURBO_NO_UPDATE_NOTIFIER: '1',
});

let child;
let interrupted = 0;
let lastSignal = 0;

// A child has a process group of its own, so a signal reaches it through here alone, and once: Ctrl-C comes from the
// terminal and again from npm, and a second one means "at once" to the demo and to vitest.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = 128 + os.constants.signals[signal];
    if (!child) process.exit(interrupted);
    if (Date.now() - lastSignal > 500) child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal);
    lastSignal = Date.now();
  });
}

/** Runs a command to its end and gives its exit code, the shell's way. */
function run(command, args, options) {
  return new Promise((resolve) => {
    const defaults = {
      cwd: root,
      env: toolEnv,
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    };
    child = spawn(command, args, Object.assign(defaults, options));
    child.on('error', (error) => fail(`${command} cannot be run (${error.message}).`));
    child.on('exit', (code, signal) => {
      child = undefined;
      resolve(signal ? 128 + os.constants.signals[signal] : code);
    });
  });
}

/** Runs a step that the following ones need, and ends with its exit code when it fails. */
async function need(code, sentence) {
  const status = await code;
  if (interrupted || status) {
    if (!interrupted && sentence) console.error(`session-stores: ${sentence}`);
    process.exit(interrupted || status);
  }
}

async function fetchPnpm() {
  const part = fs.mkdtempSync(`${pnpmHome}-`);
  console.log(`Fetching ${packageManager} into ${cache} …`);
  const args = ['install', '--prefix', part, '--ignore-scripts', '--loglevel=error', packageManager];
  const fetched = await run('npm', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    if (fetched === 0) fs.renameSync(part, pnpmHome);
  } catch (error) {
    // Another run that began at the same time may have put it there first.
    if (!fs.existsSync(pnpmHome)) throw error;
  }
  fs.rmSync(part, { recursive: true, force: true });
  return fetched;
}

async function install(lockfile) {
  if (!fs.existsSync(pnpmHome)) {
    await need(fetchPnpm(), `${packageManager} could not be fetched: is the npm registry within reach?`);
  }
  const pnpm = path.join(pnpmHome, 'node_modules', 'pnpm', 'bin', 'pnpm.cjs');
  await need(
    run(process.execPath, [pnpm, 'install', lockfile || '--frozen-lockfile']),
    'the dependencies could not be installed: pnpm says why above; the first time, the npm registry must be within reach.',
  );
}

const turbo = (...args) => run(process.execPath, [require.resolve('turbo/bin/turbo'), 'run', ...args]);

/** Builds an application and runs it. */
const application = (name) => async () => {
  await install();
  await need(turbo('build', `--filter=@session-stores/${name}`, '--output-logs=errors-only'));
  const main = [`apps/${name}/dist/main.js`].concat(process.argv.slice(3));
  return run(process.execPath, main, { env: applicationEnv, stdio: 'inherit' });
};

const commands = {
  start: application('demo'),
  races: application('races'),
  matrix: application('matrix'),

  async test() {
    for (const old of ['results', '.turbo/runs']) {
      fs.rmSync(path.join(root, old), { recursive: true, force: true });
    }
    await install();
    await need(turbo('build', '--output-logs=errors-only'));
    const checks = await turbo(
      ...['types', 'lint', 'format', 'knip', 'check:package'],
      ...['--continue', '--summarize', '--output-logs=errors-only'],
    );
    if (interrupted) return interrupted;
    const tests = await run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run']);
    if (checks && !interrupted)
      console.error('session-stores: a check failed; its output is above the tests.');
    return interrupted || checks || tests;
  },

  async 'new-adapter'() {
    await install();
    await need(run(process.execPath, ['scripts/new-adapter.mjs'].concat(process.argv.slice(3))));
    await install('--no-frozen-lockfile');
    return turbo('build', 'types', '--output-logs=errors-only');
  },
};

const command = commands[process.argv[2]];
if (!command) fail(`say one of: ${Object.keys(commands).join(', ')}.`);
command().then((code) => process.exit(code));
