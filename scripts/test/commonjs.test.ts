import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '@session-stores/test-servers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publicPackages, root } from './workspaces.js';

const run = promisify(execFile);
const names = publicPackages.map(({ manifest }) => manifest.name);

/** The least of each supported line (the least may still need a flag that the newest does not), and the running one. */
const versions = [process.versions.node, '20.19.0', '22.12.0', '24'];

/** A CommonJS application that has the public packages installed. */
let app: string;

beforeAll(async () => {
  app = await mkdtemp(join(tmpdir(), 'session-stores-app-'));
  for (const { path, manifest } of publicPackages) {
    const link = join(app, 'node_modules', manifest.name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(root, path), link);
  }
  await symlink(join(root, 'node_modules/@types'), join(app, 'node_modules/@types'));
});

afterAll(() => rm(app, { recursive: true }));

/** The binary of a Node version, kept in the cache folder once it was fetched. */
async function node(version: string): Promise<string> {
  if (version === process.versions.node) return process.execPath;
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const name = `${platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node'}-${platform}-${process.arch}`;
  const binary = join(cacheFolder(), 'node', version);
  if (!existsSync(binary)) {
    await mkdir(dirname(binary), { recursive: true });
    const part = await mkdtemp(`${binary}-`);
    try {
      await run('npm', ['install', '--prefix', part, '--no-save', '--loglevel=error', `${name}@${version}`]);
      await rename(join(part, 'node_modules', name, 'bin', 'node'), binary);
    } finally {
      await rm(part, { recursive: true });
    }
  }
  return binary;
}

// What an import starts shows here: timers (also those that are unref'd), sockets, look-ups, processes. The streams come
// first, because libraries that ask them about colours make them.
const program = `
  void [process.stdout, process.stderr];
  const started = new Set();
  require('node:async_hooks').createHook({ init: (_id, type) => started.add(type) }).enable();
  const names = Object.keys(require(process.argv[2]));
  console.log(JSON.stringify({ names, started: [...started].filter((type) => /Timeout|WRAP|WORKER/.test(type)) }));
`;

describe.each(versions)('Node %s', (version) => {
  let fetched: Promise<string> | undefined;

  test.for(names)('requires %s, which starts nothing', { timeout: 180_000 }, async (name, { skip }) => {
    fetched ??= node(version);
    const binary = await fetched.catch((error: Error) => {
      if (process.env['REQUIRE_SERVERS'] === '1') throw error;
      console.error(`NOT RUN: Node ${version} could not be fetched: ${error.message}`);
      return skip();
    });
    await writeFile(join(app, 'require.cjs'), program);
    const { stdout } = await run(binary, ['require.cjs', name], { cwd: app, timeout: 20_000 });
    expect(JSON.parse(stdout)).toStrictEqual({
      names: expect.arrayContaining([expect.any(String)]),
      started: [],
    });
  });
});

test('a CommonJS application in TypeScript type-checks', async () => {
  await writeFile(
    join(app, 'app.cts'),
    names
      .map((name, index) => `import package${index} = require('${name}');\nexport { package${index} };\n`)
      .join(''),
  );
  const options = ['--module', 'node20', '--strict', '--noEmit', '--types', 'node', 'app.cts'];
  await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...options], {
    cwd: app,
  }).catch((error: { stdout: string }) => expect.fail(error.stdout));
});
