import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** An executable, and the environment it needs. */
export interface Program {
  readonly file: string;
  readonly env: NodeJS.ProcessEnv;
}

/** The program, if it can be executed here: a file alone proves nothing when its libraries are missing. */
export async function runnable(file: string, env: NodeJS.ProcessEnv = process.env): Promise<Program> {
  try {
    await run(file, ['--version'], { env, timeout: 10_000 });
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'ENOENT') throw new Error(`no ${file} on PATH`, { cause });
    // So it is also when a folder on PATH may not be looked into, as after `su`.
    if (code === 'EACCES') throw new Error(`no ${file} on PATH that may be run`, { cause });
    throw new Error(`${file} does not run: ${reason(cause)}`, { cause });
  }
  return { file, env };
}

/** The first line that says something, for messages that list several reasons. */
export function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().split('\n')[0] || 'unknown error';
}
