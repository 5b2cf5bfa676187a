import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startServer } from '../src/index.js';
import { describeOnServer } from '../src/vitest.js';
import { connect, listens, temporaryFolder } from './helpers.js';

describeOnServer(
  () => startServer('redis', { private: true }),
  'a server that fails',
  (server) => {
    test('answers nothing while it is paused, and then what it was asked', async () => {
      const client = connect(server.url);
      await client.set('key', 'before');
      await server.pause();
      await expect(client.set('key', 'during')).rejects.toThrow('Command timed out');
      await server.resume();
      expect(await client.get('key')).toBe('during');
    });

    test('is gone when it is killed, and comes back empty at the same address', async () => {
      const client = connect(server.url);
      await client.set('key', 'value');
      await server.kill();
      expect(await listens(server.url)).toBe(false);
      await server.kill();
      await server.restart();
      expect(await connect(server.url).get('key')).toBeNull();
    });

    test('restarts while it runs and while it is paused', async () => {
      const client = connect(server.url);
      await client.set('key', 'value');
      await server.restart();
      expect(await connect(server.url).get('key')).toBeNull();
      await server.pause();
      await server.restart();
      expect(await connect(server.url).ping()).toBe('PONG');
    });
  },
);

describeOnServer(
  () => startServer('redis', { private: true, persist: true, args: ['--maxmemory', '3mb'] }),
  'a server with persistence and arguments',
  (server) => {
    test('keeps what it acknowledged over a kill', async () => {
      await connect(server.url).set('key', 'value');
      await server.kill();
      await server.restart();
      expect(await connect(server.url).get('key')).toBe('value');
    });

    test('was given the arguments', async () => {
      expect(await connect(server.url).config('GET', 'maxmemory')).toEqual([
        'maxmemory',
        `${3 * 1024 * 1024}`,
      ]);
    });
  },
);

describeOnServer(
  () => startServer('redis', { private: true }),
  'a server with a folder of its own',
  () => {
    test('finds its data there again', async () => {
      const directory = join(await temporaryFolder(), 'not/there/yet');
      const options = { private: true, directory } as const;
      const first = await startServer('redis', options);
      await connect(first.url).set('key', 'value');
      await first.stop();
      await using second = await startServer('redis', options);
      expect(await connect(second.url).get('key')).toBe('value');
    });
  },
);
