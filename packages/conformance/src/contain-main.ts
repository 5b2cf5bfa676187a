import { requirementOf, stayHere } from './audit.js';
import { show } from './calls.js';
import { type About, BEAT_MS, type Message, type Order, type Product } from './contain.js';
import { type Harness, subjectOf } from './harness.js';

/** How long a module may take to load, and a first store to be made: it may have to fetch a server. */
const LOAD_MS = 300_000;

interface HarnessModule {
  readonly harness: Harness;
  readonly about: unknown;
}

async function load(module: string): Promise<HarnessModule> {
  const loaded: Record<string, unknown> = await import(module);
  const harness = defaultOf(defaultOf(loaded));
  if (!isHarness(harness)) {
    throw new TypeError(
      `its default export has to be a function that returns a store, and is ${show(harness)}`,
    );
  }
  return { harness, about: loaded['about'] };
}

/** The default export; of what TypeScript made a CommonJS module of, that is once more under its name. */
function defaultOf(loaded: unknown): unknown {
  return typeof loaded === 'object' && loaded !== null && 'default' in loaded ? loaded.default : loaded;
}

function isHarness(value: unknown): value is Harness {
  return typeof value === 'function';
}

async function aboutOf({ harness, about }: HarnessModule): Promise<About> {
  const { store, cleanUp } = subjectOf(await harness());
  await cleanUp?.(store);
  const told: unknown = typeof about === 'function' ? await about() : about;
  if (told === undefined) return { store: { name: store.constructor.name } };
  if (!isAbout(told)) {
    throw new TypeError(
      `its about has to be { store: { name, version }, server: { name, version } }, and is ${show(told)}`,
    );
  }
  return told;
}

function isAbout(value: unknown): value is About {
  if (typeof value !== 'object' || value === null || !('store' in value)) return false;
  return isProduct(value.store) && (!('server' in value) || isProduct(value.server));
}

function isProduct(value: unknown): value is Product {
  return typeof value === 'object' && value !== null && 'name' in value && typeof value.name === 'string';
}

const send = (message: Message) => void process.send?.(message);

const unfit = (because: string) => send({ kind: 'unfit', because });

async function follow(order: Order): Promise<void> {
  const timer = setTimeout(unfit, LOAD_MS, `it made no store within ${LOAD_MS} ms`);
  const loaded = await load(order.module);
  if (order.kind === 'look') return send({ kind: 'seen', about: await aboutOf(loaded) });
  clearTimeout(timer);

  const { suspects } = await stayHere(
    loaded.harness,
    order.ids.map(requirementOf),
    order.pace,
    (result) => send({ kind: 'result', result }),
    (id) => send({ kind: 'started', id }),
  );
  send({ kind: 'end', suspects: [...suspects] });
}

setInterval(() => send({ kind: 'alive' }), BEAT_MS);

// There is nothing more to say, or nobody to say it to.
process.on('disconnect', () => process.exit());

process.on('message', (order: Order) => {
  follow(order).catch((error: unknown) => unfit(show(error)));
});
