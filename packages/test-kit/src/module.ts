import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

/** What a process did that has ended. */
export interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The milliseconds that it lived on after the last line of its code. */
  readonly lingeredMs: number;
}

/** Runs an ES module in a process of its own. It imports by URL (`import.meta.resolve`), because it lies nowhere. */
export async function runModule(code: string, env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const timed = `${code}
    const done = performance.now();
    process.on('exit', () => process.stdout.write(\`\\n\${performance.now() - done}\`));`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', timed], {
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 20_000,
  });
  const [output, stderr, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  const end = output.lastIndexOf('\n');
  return { exitCode, stdout: output.slice(0, end), stderr, lingeredMs: Number(output.slice(end + 1)) };
}
