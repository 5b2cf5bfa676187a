import { caller, failure, serve, sessionWith } from '@session-stores/test-kit';
import { type RedisCluster, startRedisCluster } from '@session-stores/test-servers';
import { describeOnServer, uniquePrefix } from '@session-stores/test-servers/vitest';
import { Redis } from 'ioredis';
import { afterAll, expect, test } from 'vitest';
import { backendOn, connectCluster, open } from './helpers.js';

const MINUTE = 60_000;
const RECOVERY = { timeout: 10_000, interval: 20 };

const ids = Array.from({ length: 300 }, (_, n) => `id${n}`);

function lookAt(cluster: RedisCluster): Redis[] {
  const nodes = cluster.urls.map((url) => new Redis(url));
  for (const node of nodes) node.on('error', () => {});
  afterAll(() => {
    for (const node of nodes) node.disconnect();
  });
  return nodes;
}

describeOnServer(startRedisCluster, 'a cluster', (cluster) => {
  const nodes = lookAt(cluster);

  /** How many keys with this prefix each node has. */
  const spread = (prefix: string) =>
    Promise.all(nodes.map(async (node) => (await node.keys(`${prefix}*`)).length));

  test('serves every operation on sessions of all nodes', async () => {
    const prefix = uniquePrefix();
    const store = open({ client: connectCluster(cluster.urls), prefix });
    await Promise.all(ids.map((id, n) => store.set(id, sessionWith({ n }))));
    expect((await spread(prefix)).every((count) => count > 50)).toBe(true);
    expect((await Promise.all(ids.map((id) => store.get(id)))).map((session) => session?.n)).toEqual(
      ids.map((_, n) => n),
    );
    await Promise.all(ids.map((id) => store.touch(id, sessionWith())));
    expect(await store.length()).toBe(300);
    expect((await store.all()).map(({ id }) => id).sort()).toEqual([...ids].sort());
    await Promise.all(ids.slice(0, 100).map((id) => store.destroy(id)));
    expect(await store.length()).toBe(200);
    await store.clear();
    expect(await spread(prefix)).toEqual([0, 0, 0]);
  });

  test('holds the conditions of writes on every node, also after it has forgotten the scripts', async () => {
    const backend = backendOn(connectCluster(cluster.urls), uniquePrefix());
    for (const _ of ['at first', 'again']) {
      for (const node of nodes) await node.script('FLUSH');
      await Promise.all(
        ids.slice(0, 30).map(async (id) => {
          expect(await backend.write(id, 'b', MINUTE, { equals: 'a' }, caller)).toBe(false);
          expect(await backend.write(id, 'b', MINUTE, 'exists', caller)).toBe(false);
          expect(await backend.write(id, 'a', MINUTE, 'always', caller)).toBe(true);
          expect(await backend.write(id, 'b', MINUTE, { equals: 'a' }, caller)).toBe(true);
          expect(await backend.touch(id, 2 * MINUTE, 'extend', caller)).toBe(true);
          expect(await backend.read(id, caller)).toMatchObject({ data: 'b' });
          expect(await backend.remove(id, caller)).toBe(true);
        }),
      );
    }
  });

  test('leaves the keys of others alone', async () => {
    const prefix = uniquePrefix();
    const client = connectCluster(cluster.urls);
    const store = open({ client, prefix: `${prefix}*` });
    await Promise.all(ids.map((id) => client.set(`${prefix}x${id}`, 'not ours', 'PX', MINUTE)));
    await store.set('a', sessionWith());
    expect(await store.length()).toBe(1);
    await store.clear();
    expect((await spread(prefix)).reduce((sum, count) => sum + count)).toBe(300);
  });

  test.each(['keyPrefix', 'redisOptions.keyPrefix'])("keeps to the client's %s", async (option) => {
    const prefix = uniquePrefix();
    const client = connectCluster(
      cluster.urls,
      option === 'keyPrefix' ? { keyPrefix: prefix } : { redisOptions: { keyPrefix: prefix } },
    );
    const store = open({ client });
    await Promise.all(ids.map((id, n) => store.set(id, sessionWith({ n }))));
    expect((await spread(`${prefix}sess:`)).reduce((sum, count) => sum + count)).toBe(300);
    expect((await store.get('id7'))?.n).toBe(7);
    expect(await store.length()).toBe(300);
    expect(await store.all()).toHaveLength(300);
    await store.clear();
    expect(await spread(prefix)).toEqual([0, 0, 0]);
  });

  test('is connected by the first call when its client is lazy', async () => {
    const client = connectCluster(cluster.urls, { lazyConnect: true });
    expect(await open({ client, prefix: uniquePrefix() }).get('a')).toBeNull();
  });

  test('serves an Express application', async () => {
    const app = await serve(open({ client: connectCluster(cluster.urls), prefix: uniquePrefix() }));
    for (const name of ['alice', 'bob', 'carol', 'dave']) {
      const person = app.browser();
      await person.go(`/login/${name}`);
      expect((await person.go('/')).body).toBe(`${name} 1`);
      expect((await person.go('/')).body).toBe(`${name} 2`);
      await person.go('/logout');
      expect((await person.go('/')).status).toBe(401);
    }
  });

  test('yields a session once that moves to another node under the walk', async () => {
    const prefix = uniquePrefix();
    const client = connectCluster(cluster.urls);
    const backend = backendOn(client, prefix);
    await Promise.all(ids.map((id) => backend.write(id, 'text', MINUTE, 'always', caller)));

    const last = client.nodes('master').at(-1);
    const portOf = (node: Redis | undefined) => `${node?.options.port}`;
    const target = nodes.find((node) => portOf(node) === portOf(last));
    const seen: string[] = [];
    for await (const { id } of backend.entries(caller)) {
      seen.push(id);
      if (seen.length === 1) await move(prefix + id);
    }
    expect(seen.sort()).toEqual([...ids].sort());

    async function move(key: string) {
      const source = await holderOf(key);
      if (target === undefined || source === target)
        throw new Error('the first session must be on another node');
      const slot = await target.cluster('KEYSLOT', key);
      const [sourceId, targetId] = await Promise.all(
        [source, target].map((node) => node.call('CLUSTER', 'MYID')),
      );
      await target.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', String(sourceId));
      await source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(targetId));
      for (const each of await source.cluster('GETKEYSINSLOT', slot, 1000))
        await source.migrate('127.0.0.1', portOf(target), String(each), 0, 5000);
      for (const node of [target, source])
        await node.call('CLUSTER', 'SETSLOT', slot, 'NODE', String(targetId));
    }

    async function holderOf(key: string): Promise<Redis> {
      for (const node of nodes) if ((await node.keys(key)).length === 1) return node;
      throw new Error('no node has it');
    }
  });

  test('is read from its masters, also by a client that reads from replicas, which may be behind a logout', async () => {
    const scaled: string[] = [];
    const client = connectCluster(cluster.urls, {
      scaleReads: (candidates: Redis[], command: { name: string }) => {
        scaled.push(command.name);
        return candidates[0] ?? null;
      },
    });
    const store = open({ client, prefix: uniquePrefix() });
    await client.get('a');
    expect(scaled).toEqual(['get']);
    await store.set('a', sessionWith({ user: 'alice' }));
    expect(await store.get('a')).toMatchObject({ user: 'alice' });
    expect(await store.all()).toHaveLength(1);
    expect(await store.length()).toBe(1);
    expect(scaled).toEqual(['get']);
  });

  test('is walked where some slots belong to nobody', async () => {
    const slot = 12_000;
    const owner = nodes[2];
    for (const node of nodes) {
      await node.config('SET', 'cluster-require-full-coverage', 'no');
      await node.cluster('DELSLOTS', slot);
    }
    const client = connectCluster(cluster.urls);
    const store = open({ client, prefix: uniquePrefix() });
    await expect.poll(() => store.length().catch(() => undefined), RECOVERY).toBe(0);
    expect(slot in client.slots).toBe(false);
    await owner?.cluster('ADDSLOTS', slot);
    for (const node of nodes)
      await expect.poll(() => node.cluster('INFO'), RECOVERY).toContain('cluster_slots_ok:16384');
  });

  test('goes on with the sessions of the other nodes when one is lost; what needs it fails, and is not silently incomplete', async () => {
    for (const node of nodes) await node.config('SET', 'cluster-require-full-coverage', 'no');
    const prefix = uniquePrefix();
    const client = connectCluster(cluster.urls, { maxRedirections: 4 });
    const store = open({ client, prefix, timeoutMs: 2000 });
    await Promise.all(ids.map((id, n) => store.set(id, sessionWith({ n }))));
    const lost = new Set((await nodes[2]?.keys(`${prefix}*`))?.map((key) => key.slice(prefix.length)));
    expect(lost.size).toBeGreaterThan(50);
    await cluster.nodes[2]?.kill();

    for (const id of ids.filter((each) => !lost.has(each))) {
      expect((await store.get(id))?.n).toBe(Number(id.slice(2)));
      await store.set(id, sessionWith({ n: 0 }));
    }
    const [id = ''] = lost;
    const calls = [
      store.get(id),
      store.set(id, sessionWith()),
      store.destroy(id),
      store.length(),
      store.all(),
      store.clear(),
    ];
    for (const error of await Promise.all(calls.map((call) => failure(call))))
      expect(error).toMatchObject({ code: expect.stringMatching('UNAVAILABLE|TIMEOUT') });
    await cluster.nodes[2]?.restart();
    await expect
      .poll(
        () =>
          store
            .set(id, sessionWith({ n: 1 }))
            .then(() => store.get(id))
            .catch(() => null),
        RECOVERY,
      )
      .toMatchObject({ n: 1 });
  });
});
