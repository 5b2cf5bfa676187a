import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder } from '@session-stores/test-servers';
import { afterAll } from 'vitest';

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));

/** A cache folder of our own, for what the demo keeps; the servers that were fetched before are there as well. */
export const cache = mkdtempSync(join(tmpdir(), 'session-stores-demo-'));
mkdirSync(join(cacheFolder(), 'servers'), { recursive: true });
symlinkSync(join(cacheFolder(), 'servers'), join(cache, 'servers'));
afterAll(() => rmSync(cache, { recursive: true, force: true }));

/** The built demo as a process. */
export class Demo {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<unknown[]>;
  output = '';

  constructor(env: Record<string, string>) {
    const { PATH = '', HOME = '' } = process.env;
    this.child = spawn(process.execPath, [main], {
      env: { PATH, HOME, SESSION_STORES_CACHE: cache, ...env },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    this.ended = once(this.child, 'close');
  }

  /** The address that it prints, once it does. */
  async address(): Promise<string> {
    for (;;) {
      const [, address] = /demo: (http:\S+).*\n {2}(?:accounts|cookies) /s.exec(this.output) ?? [];
      if (address !== undefined) return address;
      const ended = this.ended.then(() => Promise.reject(new Error(`the demo ended:\n${this.output}`)));
      await Promise.race([once(this.child.stdout, 'data'), ended]);
    }
  }

  /** Its exit code; the signal that ended it, if one did. */
  async end(signal?: NodeJS.Signals): Promise<unknown> {
    if (signal) this.child.kill(signal);
    const [code, by] = await this.ended;
    return code ?? by;
  }

  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }
}
