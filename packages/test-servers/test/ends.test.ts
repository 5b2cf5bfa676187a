import { existsSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { startServer } from '../src/index.js';
import { describeOnServer } from '../src/vitest.js';
import { connect, file, listens, node, type Run } from './helpers.js';

const bound = { timeout: 5000, interval: 20 };

interface Place {
  readonly url: string;
  readonly directory: string;
}

async function place(run: Run): Promise<Place> {
  const { url, directory } = JSON.parse(await run.line());
  return { url, directory };
}

async function expectGone({ url, directory }: Place): Promise<void> {
  await vi.waitFor(async () => {
    expect(await listens(url)).toBe(false);
    expect(existsSync(directory)).toBe(false);
  }, bound);
}

const parent = (end: string) => node([file('fixtures/parent.mjs'), end]);

describeOnServer(
  () => startServer('redis', { private: true }),
  'a server ends',
  () => {
    test('when it is stopped, as often as one likes, also while it is paused', async () => {
      const server = await startServer('redis', { private: true });
      const [, directory = ''] = (await connect(server.url).config('GET', 'dir')) as string[];
      expect(existsSync(directory)).toBe(true);
      await server.pause();
      await Promise.all([server.stop(), server.stop()]);
      await server.stop();
      expect(await listens(server.url)).toBe(false);
      expect(existsSync(directory)).toBe(false);
    });

    test('when its block ends', async () => {
      let url: string;
      {
        await using server = await startServer('redis', { private: true });
        ({ url } = server);
        expect(await listens(url)).toBe(true);
      }
      expect(await listens(url)).toBe(false);
    });

    test.each([
      ['has nothing more to do', 'nothing', 0],
      ['exits', 'exit', 3],
      ['throws', 'throw', 1],
    ])('when its parent %s', async (_, end, code) => {
      const run = parent(end);
      const at = await place(run);
      expect((await run.end).code).toBe(code);
      await expectGone(at);
    });

    describe.each(['wait', 'pause'])('when its parent, which is to %s,', (end) => {
      test.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const)('gets %s', async (signal) => {
        const run = parent(end);
        const at = await place(run);
        run.child.kill(signal);
        expect((await run.end).signal).toBe(signal);
        await expectGone(at);
      });
    });

    test('after its parent when Ctrl-C reaches the whole process group', async () => {
      const run = parent('graceful');
      const at = await place(run);
      process.kill(-(run.child.pid ?? Number.NaN), 'SIGINT');
      expect(await run.line()).toBe('PONG');
      expect((await run.end).code).toBe(0);
      await expectGone(at);
    });

    test.each(['SIGINT', 'SIGTERM'] as const)('when the command line gets %s', async (signal) => {
      const run = node([file('../dist/cli.js'), 'redis'], { ...process.env, SERVER_WAYS: 'binary,fetched' });
      const url = (await run.line()).match(/redis:\S+/)?.[0] ?? '';
      expect(await listens(url)).toBe(true);
      run.child.kill(signal);
      expect((await run.end).code).toBe(0);
      expect(await listens(url)).toBe(false);
    });
  },
);
