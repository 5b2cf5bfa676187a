import { Redis } from 'ioredis';
import { fromDebian } from './debian.js';
import { images } from './images.js';
import { runnable } from './program.js';
import type { Recipe } from './recipe.js';

export const redis: Recipe = {
  title: 'Redis',
  urlVariable: 'REDIS_URL',
  protocols: ['redis:', 'rediss:'],
  imageVariable: 'REDIS_IMAGE',
  image: images.redis[0],
  containerPort: 6379,
  command: 'redis-server',

  local: () => runnable('redis-server'),

  // Debian's redis-server is a link to a file in redis-tools.
  fetch: (log) => fromDebian('redis', ['redis-server', 'redis-tools'], 'usr/bin/redis-server', log),

  args: ({ host, port, directory, persist, args }) => [
    ...['--bind', host, '--protected-mode', 'no', '--port', `${port}`, '--dir', directory, '--save', ''],
    ...(persist ? ['--appendonly', 'yes', '--appendfsync', 'always'] : []),
    ...args,
  ],

  url: (host, port) => `redis://${host}:${port}`,

  async probe(url) {
    const client = new Redis(url, {
      lazyConnect: true,
      connectTimeout: 1000,
      commandTimeout: 1000,
      // The default keeps a process alive for two seconds after a connection that failed.
      disconnectTimeout: 0,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
    });
    // The rejection of connect() names no cause.
    let cause: Error | undefined;
    client.on('error', (error) => {
      cause = error;
    });
    try {
      await client.connect();
      return /^redis_version:(\S+)/m.exec(await client.info('server'))?.[1] ?? 'unknown';
    } catch (error) {
      throw cause ?? error;
    } finally {
      client.disconnect();
    }
  },
};
