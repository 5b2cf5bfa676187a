import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { findChromium, ServerUnavailableError } from '../src/index.js';
import { describeOnServer } from '../src/vitest.js';
import { temporaryFolder } from './helpers.js';

const run = promisify(execFile);

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('a browser', () => {
  beforeEach(() => {
    vi.stubEnv('CHROMIUM_PATH', '');
    vi.stubEnv('SERVER_WAYS', '');
  });

  /** A program that comes first on PATH. */
  async function program(name: string, script: string): Promise<string> {
    const folder = await temporaryFolder();
    const file = join(folder, name);
    await writeFile(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    vi.stubEnv('PATH', `${folder}:${process.env['PATH']}`);
    return file;
  }

  test('comes from CHROMIUM_PATH first, else from PATH', async () => {
    const onPath = await program('chromium-headless-shell', 'echo Chromium 1');
    expect((await findChromium()).file).toBe(onPath);
    const named = await program('mine', 'echo Chromium 2');
    vi.stubEnv('CHROMIUM_PATH', named);
    expect((await findChromium()).file).toBe(named);
  });

  test('that CHROMIUM_PATH names and that does not run is an error, not a reason to use another', async () => {
    vi.stubEnv('CHROMIUM_PATH', await program('chromium', 'exit 1'));
    await expect(findChromium()).rejects.toThrow(
      /^CHROMIUM_PATH has to name a Chromium or Chrome: .*chromium does not run: /,
    );
  });

  test('has no sandbox as root, and one where namespaces are to be had', async () => {
    await program('chromium-headless-shell', '');
    await program('unshare', 'exit 0');
    const getuid = vi.spyOn(process, 'getuid').mockReturnValue(1000);
    expect((await findChromium()).sandbox).toBe(true);
    await program('unshare', 'exit 1');
    expect((await findChromium()).sandbox).toBe(false);
    await program('unshare', 'exit 0');
    getuid.mockReturnValue(0);
    expect((await findChromium()).sandbox).toBe(false);
    getuid.mockRestore();
  });

  test('that is not to be had is told with the reasons, and with what helps', async () => {
    vi.stubEnv('SERVER_WAYS', 'binary');
    vi.stubEnv('PATH', await temporaryFolder());
    const error = await findChromium().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ServerUnavailableError);
    expect(String(error)).toBe(
      [
        'ServerUnavailableError: No Chromium is to be had here.',
        '  - binary: no chromium-headless-shell, chromium, google-chrome or chromium-browser on PATH',
        '  - fetched: not among SERVER_WAYS',
        'What helps: install chromium, or set CHROMIUM_PATH to a Chromium or Chrome.',
      ].join('\n'),
    );
  });
});

describeOnServer(
  async () => {
    vi.stubEnv('CHROMIUM_PATH', '');
    vi.stubEnv('SERVER_WAYS', 'fetched');
    const chromium = await findChromium().finally(() => vi.unstubAllEnvs());
    return { ...chromium, stop: async () => {} };
  },
  'a fetched browser',
  ({ file, env, sandbox }) => {
    test('shows pages, with fonts', async () => {
      const page = `
        <p><tt id="narrow">iii</tt> <tt id="wide">mmm</tt> <b id="other">iii</b></p>
        <script>document.title = [narrow, wide, other].map((each) => each.offsetWidth)</script>`;
      const options = ['--disable-gpu', ...(sandbox ? [] : ['--no-sandbox'])];
      const { stdout } = await run(
        file,
        [...options, `--user-data-dir=${await temporaryFolder()}`, '--dump-dom', `data:text/html,${page}`],
        { env },
      );
      const [, narrow, wide, other] = /<title>(\d+),(\d+),(\d+)/.exec(stdout)?.map(Number) ?? [];
      expect(narrow).toBeGreaterThan(0);
      expect(wide).toBe(narrow);
      expect(other).not.toBe(narrow);
    });
  },
);
