import { randomInt } from 'node:crypto';
import getPort, { portNumbers } from 'get-port';

/**
 * A free port below those that systems give to outgoing connections: while a server is down, a client that tries to
 * reconnect to a port among those can get it for itself, connect to itself, and keep the server from coming back.
 * The port 10000 higher, which Redis Cluster takes too, is below them as well.
 */
export async function freePort(): Promise<number> {
  const from = randomInt(20_000, 22_700);
  return getPort({ port: portNumbers(from, 22_767), host: '127.0.0.1' });
}
