import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';

/**
 * Its standard input is a pipe that the kernel closes when we end, in whatever way, SIGKILL included. Then it runs
 * the last line that it read, and removes the directory; a server that is just dying may still write there.
 */
const script = `
while read -r line; do last=$line; done
eval "$last" >/dev/null 2>&1
[ -z "$1" ] && exit
for attempt in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$1" && exit; sleep 0.1; done`;

/** Cleans up after us when we cannot. */
export interface Keeper {
  /** The shell command to run when we end, in place of the one before. */
  last(command: string): void;
  /** Has it clean up now. */
  end(): Promise<void>;
}

/** A small process that outlives this one by the moment that cleaning up takes. */
export async function startKeeper(directory = ''): Promise<Keeper> {
  const keeper = spawn('sh', ['-c', script, 'keeper', directory], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  await once(keeper, 'spawn');
  const { stdin } = keeper;
  stdin.on('error', () => {}); // It was killed by somebody; the server still ends in the ordinary ways.
  keeper.unref();
  if (stdin instanceof Socket) stdin.unref();
  return {
    last(command) {
      stdin.write(`${command}\n`);
    },
    async end() {
      if (hasEnded(keeper)) return;
      const exit = once(keeper, 'exit');
      keeper.ref();
      stdin.end();
      await exit;
    },
  };
}

export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
