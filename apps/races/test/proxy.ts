import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A way to a server that can be cut. */
export interface Proxy {
  readonly url: string;
  /** Cuts every connection that there is when the server next answers over it: what was asked takes effect, the answer is lost. */
  cut(): void;
}

/** Stands between a test and a server until the test is over. */
export async function proxyTo(target: string): Promise<Proxy> {
  const there = new URL(target);
  const links = new Set<{ doomed: boolean; end(): void }>();

  const proxy = createServer((client: Socket) => {
    const server = connect(Number(there.port), there.hostname);
    const link = {
      doomed: false,
      end() {
        links.delete(link);
        client.destroy();
        server.destroy();
      },
    };
    links.add(link);
    for (const socket of [client, server]) socket.on('error', link.end).on('close', link.end);
    client.pipe(server);
    server.on('data', (answer) => (link.doomed ? link.end() : client.write(answer)));
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    for (const link of links) link.end();
    proxy.close();
  });

  const address = proxy.address();
  if (typeof address !== 'object' || address === null) throw new Error('the proxy has no port');
  return {
    url: Object.assign(new URL(target), { host: `127.0.0.1:${address.port}` }).href,
    cut() {
      for (const link of links) link.doomed = true;
    },
  };
}
