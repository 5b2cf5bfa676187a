import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from './cache.js';
import { type Program, reason, runnable } from './program.js';
import type { Log } from './recipe.js';

const run = promisify(execFile);

/**
 * A program from the packages of Debian or Ubuntu, unpacked into the cache folder with the libraries that this
 * machine lacks. Needs no root and changes nothing on the system. `add` puts into it what no package has.
 */
export async function fromDebian(
  name: string,
  packages: readonly string[],
  file: string,
  log: Log,
  add?: (root: string, log: Log) => Promise<void>,
): Promise<Program> {
  const servers = join(cacheFolder(), 'servers');
  const root = join(servers, name);
  const cached = () => unpacked(root, file);
  try {
    return await cached();
  } catch {
    // Not there yet, or from a machine that had other libraries.
  }

  log(`fetching ${packages.join(', ')} from the package archive into ${root}`);
  await mkdir(servers, { recursive: true });
  const work = await mkdtemp(join(servers, `${name}.`));
  try {
    const fresh = join(work, 'root');
    for (const archive of await download(packages, work, log)) await run('dpkg', ['-x', archive, fresh]);
    await add?.(fresh, log);
    await unpacked(fresh, file);
    await install(fresh, root, cached);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return cached();
}

async function download(packages: readonly string[], work: string, log: Log): Promise<string[]> {
  const archives = join(work, 'archives');
  const lists = join(work, 'lists');
  for (const folder of [archives, lists]) await mkdir(join(folder, 'partial'), { recursive: true });

  const options = [
    ...['Debug::NoLocking=1', 'Dir::Cache::pkgcache=', 'Dir::Cache::srcpkgcache='],
    ...[`Dir::Cache::archives=${archives}`, 'Acquire::http::Timeout=20', 'APT::Sandbox::User='],
  ];
  const own = [
    ...[`Dir::State::lists=${lists}`, 'Acquire::Languages=none'],
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false',
  ];
  const get = ['install', '--yes', '--download-only', '--reinstall', '--no-install-recommends', ...packages];

  try {
    await apt(options, get);
  } catch (error) {
    // The machine's own package lists are missing or stale, and only root may renew those.
    log(`getting new package lists (${reason(error)})`);
    await apt([...options, ...own], ['update']);
    await apt([...options, ...own], get);
  }
  const names = await readdir(archives);
  return names.filter((entry) => entry.endsWith('.deb')).map((entry) => join(archives, entry));
}

async function apt(options: readonly string[], command: readonly string[]): Promise<void> {
  try {
    await run('apt-get', [...options.flatMap((option) => ['-o', option]), ...command], {
      env: { ...process.env, LC_ALL: 'C' },
      timeout: 300_000,
      maxBuffer: Number.POSITIVE_INFINITY,
    });
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    if ('code' in cause && cause.code === 'ENOENT') {
      throw new Error('no apt-get on PATH (fetching works on Debian and Ubuntu)', { cause });
    }
    const output = 'stderr' in cause ? String(cause.stderr) : '';
    const [complaint] = output.match(/^E: .*/m) ?? [reason(cause)];
    throw new Error(`apt-get ${command[0]}: ${complaint}`, { cause });
  }
}

/** Puts the folder in its place at once, so that nobody sees half of it; whoever comes second uses the first one's. */
async function install(fresh: string, root: string, cached: () => Promise<Program>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await rename(fresh, root);
    } catch (error) {
      const works = await cached().catch(() => undefined);
      if (works !== undefined) return;
      if (attempt === 2) throw error;
      await rename(root, `${fresh}.broken`).catch(() => {});
    }
  }
}

async function unpacked(root: string, file: string): Promise<Program> {
  return runnable(join(root, file), await environmentIn(root));
}

/** What a program that was unpacked into `root` needs to find the libraries that were unpacked with it. */
export async function environmentIn(root: string): Promise<NodeJS.ProcessEnv> {
  const libraries: string[] = [];
  for (const folder of [join(root, 'usr/lib'), join(root, 'lib')]) {
    const entries = await readdir(folder).catch(() => []);
    for (const entry of entries.filter((entry) => entry.includes('-linux-'))) {
      // PulseAudio's library has one more for itself.
      libraries.push(join(folder, entry), join(folder, entry, 'pulseaudio'));
    }
  }
  return { ...process.env, LD_LIBRARY_PATH: libraries.join(':') };
}
