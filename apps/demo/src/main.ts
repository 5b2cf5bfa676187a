import { once } from 'node:events';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hints } from './accounts.js';
import { createApp, longestPause } from './app.js';
import { type Config, readConfig } from './config.js';
import { ConfigError } from './config-error.js';
import { openStore, storeNames } from './stores.js';

/** How long, in milliseconds, requests in flight may take to end; the slowest one can. */
const grace = longestPause + 1000;
/** One Ctrl-C can arrive twice: from the terminal, and passed on by npm. Closer together, two signals count as one. */
const sameSignal = 250;

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const server = createServer();
  const port = await listen(server, config);

  // The port is ours alone, so what is named after it is written to by no second demo. What is asked meanwhile waits.
  const folder = join(config.stateDir, `${config.store}-${port}`);
  const opening = openStore(config.store, process.env, folder, console.log);
  const ready = opening.then((opened) => createApp({ ...config, ...opened, storeName: config.store }));
  server.on('request', (async (req, res) => (await ready)(req, res)) satisfies RequestListener);
  const { store, where, close } = await opening;

  store.on('discarded', ({ operation, session }) => {
    console.log(`late ${operation} of session ${session} left out: the session had ended`);
  });
  store.on('failed', (error) => console.error(error));
  closeOnSignal(server, close);

  console.log(`\nsession-stores demo: http://localhost:${port}`);
  if (config.port === undefined && port !== 3000) console.log(`  port      ${port}, because 3000 is taken`);
  console.log(`  store     ${config.store}, ${where}`);
  console.log(`  switch    SESSION_STORE=${storeNames.join('|')} npm start`);
  if (config.production)
    console.log('  cookies   over HTTPS only, behind a proxy that sets X-Forwarded-Proto');
  else console.log(`  accounts  ${hints.join(', ')}`);

  await store.get('start-up').catch((error: unknown) => {
    console.error(`\nThe store does not answer; until it does, pages say so. ${String(error)}`);
  });
}

/** Listens on the wanted port, else on the first free one from 3000 up. */
async function listen(
  server: Server,
  { port: wanted, host }: Pick<Config, 'port' | 'host'>,
): Promise<number> {
  for (let port = wanted ?? 3000; ; port += 1) {
    try {
      await once(server.listen({ port, host }), 'listening');
      const address = server.address();
      return typeof address === 'object' && address !== null ? address.port : port;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'EADDRINUSE' && wanted === undefined && port < 3100) continue;
      if (code === 'EADDRINUSE')
        throw new ConfigError(`PORT is ${port}, and another program has it; choose another.`);
      if (code === 'EACCES')
        throw new ConfigError(`PORT is ${port}, which this user may not open; choose one above 1023.`);
      throw error;
    }
  }
}

/** On SIGINT or SIGTERM: takes no more requests, lets those in flight end, closes the store, exits. A second signal exits at once. */
function closeOnSignal(server: Server, close: () => Promise<void>): void {
  const answering = new Set<ServerResponse>();
  server.prependListener('request', (_req, res) => {
    answering.add(res);
    res.once('close', () => answering.delete(res));
  });

  const stop = async () => {
    server.close();
    if (answering.size > 0)
      console.log(`Requests still to be answered: ${answering.size}. Once more ends at once.`);
    const ended = [...answering].map((res) => once(res, 'close'));
    await Promise.race([Promise.all(ended), sleep(grace)]);
    await close();
  };

  let since: number | undefined;
  const onSignal = () => {
    const now = performance.now();
    if (since === undefined) {
      since = now;
      stop().then(
        () => process.exit(0),
        (error: unknown) => {
          console.error(error);
          process.exit(1);
        },
      );
    } else if (now - since > sameSignal) process.exit(1);
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
}

main().catch((error: unknown) => {
  console.error(error instanceof ConfigError ? error.message : error);
  process.exit(1);
});
