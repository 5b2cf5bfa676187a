import { recipes, type ServerName, serverNames } from './recipes.js';
import { startRedisCluster } from './redis-cluster.js';
import { type Server, ServerUnavailableError, startServer } from './server.js';

interface Started extends Pick<Server, 'stop'> {
  readonly says: string;
}

const single = (name: ServerName) => async (): Promise<Started> => {
  const server = await startServer(name);
  return {
    says: `${recipes[name].title} ${server.version} (${server.how}): ${server.url}`,
    stop: server.stop,
  };
};

const starters: Record<string, () => Promise<Started>> = {
  ...Object.fromEntries(serverNames.map((name) => [name, single(name)])),
  async 'redis-cluster'() {
    const cluster = await startRedisCluster();
    return { says: `Redis Cluster ${cluster.version}: ${cluster.urls.join(' ')}`, stop: cluster.stop };
  },
};

const [name = '', ...rest] = process.argv.slice(2);
const start = Object.hasOwn(starters, name) && rest.length === 0 ? starters[name] : undefined;
if (start === undefined) {
  console.error(
    `usage: cli.js ${Object.keys(starters).join('|')}\nStarts a real server and runs it until Ctrl-C.`,
  );
  process.exit(2);
}

let server: Started;
try {
  server = await start();
} catch (error) {
  if (!(error instanceof ServerUnavailableError)) throw error;
  console.error(error.message);
  process.exit(1);
}
const waiting = setInterval(() => {}, 2 ** 31 - 1);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    clearInterval(waiting);
    void server.stop();
  });
}
console.log(`${server.says}\nIt runs until Ctrl-C.`);
