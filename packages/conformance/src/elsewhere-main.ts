import type { Order, Question, Reply } from './elsewhere.js';
import { type Guide, serveVisits } from './visits.js';

let guide: Guide;

async function open({ module, options, session }: Order): Promise<string> {
  const { default: make } = await import(module);
  const served = await serveVisits(await make(options), session);
  ({ guide } = served);
  return served.origin;
}

process.on('message', async ({ n, method, args }: Question) => {
  const reply = await Promise.resolve(
    Reflect.apply(method === 'open' ? open : guide[method], undefined, args),
  ).then(
    (value: unknown): Reply => ({ n, value }),
    (error: unknown): Reply => ({
      n,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    }),
  );
  process.send?.(reply);
});

// The one who asks has ended, in whatever way.
process.on('disconnect', () => process.exit());
