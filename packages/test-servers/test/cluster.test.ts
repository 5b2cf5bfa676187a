import { Cluster } from 'ioredis';
import { expect, test } from 'vitest';
import { startRedisCluster } from '../src/index.js';
import { describeOnServer } from '../src/vitest.js';
import { connect, listens } from './helpers.js';

describeOnServer(startRedisCluster, 'a Redis Cluster', (cluster) => {
  test('spreads keys over its nodes and redirects', async () => {
    const client = new Cluster([...cluster.urls]);
    const keys = Array.from({ length: 100 }, (_, index) => `key${index}`);
    for (const key of keys) await client.set(key, key);
    for (const key of keys) expect(await client.get(key)).toBe(key);
    client.disconnect();

    const sizes = await Promise.all(cluster.urls.map((url) => connect(url).dbsize()));
    expect(sizes.every((size) => size > 0)).toBe(true);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(keys.length);
  });

  test('refuses keys of different slots in one command', async () => {
    const [url = ''] = cluster.urls;
    await expect(connect(url).del('a', 'b')).rejects.toThrow('CROSSSLOT');
  });

  test('stops with all its nodes', async () => {
    const other = await startRedisCluster();
    await other.stop();
    for (const url of other.urls) expect(await listens(url)).toBe(false);
  });
});
