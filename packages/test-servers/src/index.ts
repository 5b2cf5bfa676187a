export { cacheFolder } from './cache.js';
export { type Chromium, findChromium } from './chromium.js';
export { matrix } from './images.js';
export { type MongoReplicaSet, startMongoReplicaSet } from './mongo-replica-set.js';
export type { ServerName } from './recipes.js';
export { type RedisCluster, startRedisCluster } from './redis-cluster.js';
export {
  type OwnServer,
  type Server,
  type ServerOptions,
  ServerUnavailableError,
  startServer,
  type Way,
} from './server.js';
