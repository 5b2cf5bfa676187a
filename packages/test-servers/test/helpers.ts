import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';

/** A client that gives up at once, so that a server's fault is seen as it is. */
export function connect(url: string): Redis {
  const client = new Redis(url, {
    commandTimeout: 1000,
    connectTimeout: 1000,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  return client;
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'test-servers-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Whether anything listens there. A process that is dead, reaped or not, does not. */
export async function listens(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const socket = createConnection(Number(port), hostname);
  const answer = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return answer;
}

export interface Run {
  readonly child: ChildProcess;
  /** The next line of its standard output. */
  line(): Promise<string>;
  /** All that it has written by its end, and how it ended. */
  readonly end: Promise<{ code: number | null; signal: NodeJS.Signals | null; output: string }>;
}

/** Runs a Node program of ours in a process group of its own, as a terminal does. */
export function node(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Run {
  const child = spawn(process.execPath, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const end = once(child, 'close').then(() => ({ code: child.exitCode, signal: child.signalCode, output }));
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return {
    child,
    end,
    async line() {
      const { done, value } = await lines.next();
      if (done) throw new Error(`it ended without a further line:\n${(await end).output}`);
      return value;
    },
  };
}

export function file(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}
