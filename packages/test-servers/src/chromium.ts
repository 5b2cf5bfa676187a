import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from './cache.js';
import { fromDebian } from './debian.js';
import { type Program, reason, runnable } from './program.js';
import type { Log } from './recipe.js';
import { firstOf, toStandardError } from './server.js';

const run = promisify(execFile);

/** A browser for a test to drive: Chromium, Chrome, or Chromium's headless shell. */
export interface Chromium extends Program {
  /** Whether its sandbox works here. Root has none, and some containers allow none. */
  readonly sandbox: boolean;
}

/** The shell first: it has no window to draw, and is made for this. */
const commands = ['chromium-headless-shell', 'chromium', 'google-chrome', 'chromium-browser'] as const;
const shell = 'usr/lib/chromium/chromium-headless-shell';

/**
 * The browser that `CHROMIUM_PATH` names, else one on PATH, else one that is fetched into the cache folder.
 *
 * @throws ServerUnavailableError when there is none to be had.
 * @throws Error when one was named but does not run.
 */
export async function findChromium(log: Log = toStandardError): Promise<Chromium> {
  const sandbox = await hasSandbox();
  const named = process.env['CHROMIUM_PATH'];
  if (named) {
    const program = await runnable(named).catch((cause: unknown) => {
      throw new Error(`CHROMIUM_PATH has to name a Chromium or Chrome: ${reason(cause)}`, { cause });
    });
    return { ...program, sandbox };
  }
  const ways = { binary: onPath, fetched: () => fetch(log) };
  const [, program] = await firstOf(['binary', 'fetched'], (way) => ways[way](), {
    wanted: 'Chromium',
    advice: ['install chromium', 'set CHROMIUM_PATH to a Chromium or Chrome'],
  });
  return { ...program, sandbox };
}

async function onPath(): Promise<Program> {
  for (const command of commands) {
    // Whoever starts a browser wants to know the whole path of its program.
    const found = await run('sh', ['-c', 'command -v "$0"', command]).catch(() => undefined);
    if (found !== undefined) return runnable(found.stdout.trim());
  }
  throw new Error(`no ${commands.slice(0, -1).join(', ')} or ${commands.at(-1)} on PATH`);
}

async function fetch(log: Log): Promise<Program> {
  const packages = ['chromium-headless-shell', 'chromium-common', 'fonts-dejavu-core'];
  const { file, env } = await fromDebian('chromium', packages, shell, log, (root) =>
    writeFile(join(root, 'fonts.conf'), fonts),
  );
  const root = file.slice(0, -shell.length);
  return { file, env: { ...env, FONTCONFIG_FILE: join(root, 'fonts.conf'), XDG_CACHE_HOME: cacheFolder() } };
}

/** The fonts that were unpacked, so that pages look alike on every machine. */
const fonts = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">usr/share/fonts</dir>
  <alias><family>sans-serif</family><prefer><family>DejaVu Sans</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
`;

/** Chromium locks its processes up in namespaces, and refuses to as root. */
async function hasSandbox(): Promise<boolean> {
  if (process.getuid?.() === 0) return false;
  if (process.platform !== 'linux') return true;
  return run('unshare', ['--user', '--net', 'true']).then(
    () => true,
    () => false,
  );
}
