import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Instance } from './instance.js';
import { hasEnded, startKeeper } from './keeper.js';
import { freePort } from './port.js';
import type { Program } from './program.js';
import type { Setup } from './recipe.js';

/**
 * A server as a child process on a free port, with a temporary directory. It neither keeps this process alive nor
 * outlives it.
 */
export async function startProcess(
  name: string,
  program: Program,
  command: (at: Pick<Setup, 'host' | 'port' | 'directory'>) => readonly [string, ...string[]],
): Promise<Instance> {
  const host = '127.0.0.1';
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), `session-stores-${name}-`));
  const log = join(directory, 'server.log');
  const keeper = await startKeeper(directory);

  async function launch(): Promise<ChildProcess> {
    const output = openSync(log, 'a');
    const [file, ...args] = command({ host, port, directory });
    const started = spawn(file, args, {
      cwd: directory,
      env: program.env,
      // In a session of its own, so that Ctrl-C reaches the application and not its server.
      detached: true,
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    await once(started, 'spawn');
    // As `signal` does.
    keeper.last(`kill -KILL -${started.pid} $(cat /proc/${started.pid}/task/${started.pid}/children)`);
    // The system may give the process id to somebody else now.
    started.once('exit', () => keeper.last(':'));
    started.unref();
    return started;
  }

  let child = await launch();

  const instance: Instance = {
    host,
    port,
    async pause() {
      // Its threads stop one after another, on a busy machine some after their next answer, or child.
      for (signal(child, 'SIGSTOP'); !isStopped(child); signal(child, 'SIGSTOP')) await delay(1);
    },
    async resume() {
      signal(child, 'SIGCONT');
    },
    async kill() {
      if (hasEnded(child)) return;
      const exit = once(child, 'exit');
      child.ref();
      signal(child, 'SIGKILL');
      await exit;
    },
    async start() {
      child = await launch();
    },
    fault() {
      if (!hasEnded(child)) return undefined;
      const lines = readFileSync(log, 'utf8').trim().split('\n');
      return `${program.file} ended: ${lines.slice(-5).join('\n')}`;
    },
    async end() {
      await instance.kill();
      await keeper.end();
    },
  };
  return instance;
}

/** As far as the system tells: where there is no /proc, the signal has to be enough. */
function isStopped({ pid }: ChildProcess): boolean {
  const processes = pid === undefined ? [] : [pid, ...childrenOf(pid)];
  return processes.flatMap(threadsOf).every((state) => /[TtZX]/.test(state));
}

/** The state of each thread of a process, as one letter. */
function threadsOf(pid: number): string[] {
  const folder = `/proc/${pid}/task`;
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((thread) => {
    try {
      return /\) (.) /.exec(readFileSync(join(folder, thread, 'stat'), 'utf8'))?.[1] ?? [];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

/** To a server, what prepares it, and the processes that it serves its clients with: PostgreSQL's have groups of their own. */
function signal({ pid }: ChildProcess, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  for (const id of [-pid, ...childrenOf(pid)]) {
    try {
      process.kill(id, name);
    } catch (error) {
      // It has just ended.
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    // Not on Linux, or it has ended.
    return [];
  }
}
