import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type OwnServer, type ServerOptions, startOwn } from './server.js';

/** Three masters, no replicas: the least that redirects. */
export interface RedisCluster {
  readonly nodes: readonly OwnServer[];
  /** The nodes' URLs, as `new Cluster(urls)` of ioredis takes them. */
  readonly urls: readonly string[];
  readonly version: string;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const size = 3;
const slots = 16_384;
const formTimeoutMs = 30_000;

/**
 * A Redis Cluster of processes on free ports (in containers the nodes could not reach each other by the addresses
 * that they announce).
 *
 * @throws ServerUnavailableError when there is no `redis-server` and none can be fetched.
 */
export async function startRedisCluster(options: Pick<ServerOptions, 'log'> = {}): Promise<RedisCluster> {
  const nodes: OwnServer[] = [];
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  try {
    const args = ['--cluster-enabled', 'yes'];
    while (nodes.length < size)
      nodes.push(await startOwn('redis', ['binary', 'fetched'], { ...options, args }));
    const urls = nodes.map((node) => node.url);
    await form(urls);
    return { nodes, urls, version: nodes[0]?.version ?? 'unknown', stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function form(urls: readonly string[]): Promise<void> {
  const clients = urls.map((url) => new Redis(url));
  try {
    for (const [index, client] of clients.entries()) {
      const from = Math.ceil((slots * index) / size);
      const to = Math.ceil((slots * (index + 1)) / size);
      await client.cluster('ADDSLOTS', ...Array.from({ length: to - from }, (_, offset) => from + offset));
      for (const url of urls) await client.cluster('MEET', '127.0.0.1', new URL(url).port);
    }
    const deadline = performance.now() + formTimeoutMs;
    while (!(await Promise.all(clients.map(isFormed))).every(Boolean)) {
      if (performance.now() > deadline)
        throw new Error(`the Redis Cluster did not form in ${formTimeoutMs} ms`);
      await delay(50);
    }
  } finally {
    for (const client of clients) client.disconnect();
  }
}

/** Whether this node sees every slot served and every other node. */
async function isFormed(client: Redis): Promise<boolean> {
  const info = String(await client.cluster('INFO'));
  return ['cluster_state:ok', `cluster_slots_ok:${slots}`, `cluster_known_nodes:${size}`].every((line) =>
    info.includes(line),
  );
}
