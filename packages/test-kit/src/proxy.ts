import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** What stands between a store and its server, for a test to cut. */
export interface Proxy {
  /** The server's URL, by way of the proxy. */
  readonly url: string;
  /** Closes the connections that are open; new ones are taken. */
  cut(): void;
  /** From now on the server hears everything, and nobody hears the server; until the connections are cut. */
  mute(): void;
  /** Closes the connections that are open, and lets nobody reach the server until `restore`. */
  interrupt(): void;
  restore(): void;
}

/** A proxy that ends with the test. */
export async function startProxy(url: string): Promise<Proxy> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    return socket.setNoDelay();
  };
  let muted = false;
  let interrupted = false;
  const proxy = createServer((near) => {
    if (interrupted) return void near.destroy();
    const far = keep(connect(Number(target.port), target.hostname));
    keep(near).on('data', (bytes) => far.write(bytes));
    far.on('data', (bytes) => muted || near.write(bytes));
    near.on('close', () => far.end());
    far.on('close', () => near.destroy());
  });
  const cut = () => {
    muted = false;
    for (const socket of sockets) socket.destroy();
  };
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  onTestFinished(() => {
    proxy.close();
    cut();
  });

  const here = new URL(url);
  here.host = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  return {
    url: here.href,
    cut,
    mute() {
      muted = true;
    },
    interrupt() {
      interrupted = true;
      cut();
    },
    restore() {
      interrupted = false;
    },
  };
}

/** What the conformance suite calls an interruptible store: one whose server it can take away. It ends with the test. */
export async function behindProxy<S>(url: string, open: (url: string) => S) {
  const { interrupt, restore, ...proxy } = await startProxy(url);
  return { store: open(proxy.url), interrupt, restore };
}
