import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startContainer } from './container.js';
import type { Instance } from './instance.js';
import { startProcess } from './process.js';
import { reason } from './program.js';
import { commandLine, type Recipe } from './recipe.js';
import { isServerName, recipes, type ServerName, serverNames } from './recipes.js';

const everyWay = ['url', 'container', 'binary', 'fetched'] as const;

/** How a server came: named in the environment, in Docker, from this machine's PATH, or from the cache folder. */
export type Way = (typeof everyWay)[number];

export type OwnWay = Exclude<Way, 'url'>;

type Start = () => Promise<Instance>;

export interface ServerOptions {
  /**
   * A server that belongs to the caller, who may hurt it: never the one that the environment names, and a process
   * rather than a container. Default: false.
   */
  readonly private?: boolean;
  /** More arguments for the server program, as in `['--maxmemory', '2mb']`. Only for a private server. */
  readonly args?: readonly string[];
  /** Whether acknowledged writes survive `kill` and `restart`. Only for a private server. Default: false. */
  readonly persist?: boolean;
  /**
   * A folder, made when missing, where a private server keeps its data and finds it again the next time. It outlives
   * the server; no two may use it at once. Implies `persist`. Default: a temporary folder that is removed.
   */
  readonly directory?: string;
  /** Told what takes long. Default: a line on standard error. */
  readonly log?: (message: string) => void;
}

/** A real server that answers. */
export interface Server {
  readonly name: ServerName;
  readonly url: string;
  readonly version: string;
  readonly how: Way;
  /** Ends a server that was started here and removes its files; one that was named by a URL is left alone. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A private server, with the faults that a test needs. */
export interface OwnServer extends Server {
  /** Freezes it: connections stay open, nothing is answered. */
  pause(): Promise<void>;
  /** Ends a pause. What was sent meanwhile is carried out. */
  resume(): Promise<void>;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
  /** Kills it if it runs, and starts it again on the same port and data. Resolves when it answers. */
  restart(): Promise<void>;
}

/** No way to get a server, or a browser, works here. The message says for each why not, and what to do. */
export class ServerUnavailableError extends Error {
  override readonly name = 'ServerUnavailableError';
}

/** Longer than any of our servers needs, even on a machine under load. */
const startTimeoutMs = 30_000;

/** One that is named should be up already. */
const namedTimeoutMs = 3000;

/**
 * A real server: the one that the environment names (`REDIS_URL`), else one in a container, else from a program on
 * PATH, else from a program that is fetched into the cache folder. `SERVER_WAYS` narrows that. What is started here ends with this process,
 * however that ends, and does not keep it alive.
 *
 * @throws ServerUnavailableError when no way works on this machine.
 * @throws Error when a server was named or started but does not answer.
 */
export function startServer(
  name: ServerName,
  options: ServerOptions & { readonly private: true },
): Promise<OwnServer>;
export function startServer(name: ServerName, options?: ServerOptions): Promise<Server>;
export async function startServer(name: ServerName, options: ServerOptions = {}): Promise<Server> {
  const recipe = recipeFor(name);
  if (!options.private) {
    const own = (['args', 'persist', 'directory'] as const).find((option) => options[option] !== undefined);
    if (own !== undefined)
      throw new Error(`startServer('${name}'): the option ${own} wants private: true as well`);
    const url = process.env[recipe.urlVariable];
    if (url && openWays().includes('url')) return named(name, recipe, url);
  }
  const order = options.private
    ? (['binary', 'fetched', 'container'] as const)
    : (['container', 'binary', 'fetched'] as const);
  return startOwn(name, order, options);
}

/** A server of our own in the first of these ways that works. */
export async function startOwn(
  name: ServerName,
  order: readonly OwnWay[],
  options: ServerOptions = {},
): Promise<OwnServer> {
  const recipe = recipeFor(name);
  const [how, start] = await firstOf(order, (way) => obtain(name, recipe, way, options), {
    wanted: `${name} server`,
    advice: [
      ...(options.private ? [] : [`set ${recipe.urlVariable} to one that runs`]),
      ...(order.includes('container') ? ['start Docker'] : []),
      `install ${recipe.command}`,
    ],
  });
  return running(name, recipe, how, start);
}

/**
 * What the first of these ways gives that works here, and which it is.
 *
 * @throws ServerUnavailableError when none does.
 */
export async function firstOf<W extends Way, T>(
  order: readonly W[],
  attempt: (way: W) => Promise<T>,
  { wanted, advice }: { readonly wanted: string; readonly advice: readonly string[] },
): Promise<[W, T]> {
  const open = openWays();
  const refusals: string[] = [];
  for (const way of order) {
    try {
      if (!open.includes(way)) throw new Error('not among SERVER_WAYS');
      return [way, await attempt(way)];
    } catch (error) {
      refusals.push(`${way}: ${reason(error)}`);
    }
  }
  throw new ServerUnavailableError(
    [
      `No ${wanted} is to be had here.`,
      ...refusals.map((refusal) => `  - ${refusal}`),
      `What helps: ${advice.join(', or ')}.`,
    ].join('\n'),
  );
}

/**
 * Gets hold of a server, which may well fail: then the next way is tried. Starting what was got hold of has to work,
 * so that a mistake in the arguments does not pass for a machine without servers.
 */
async function obtain(name: ServerName, recipe: Recipe, how: OwnWay, options: ServerOptions): Promise<Start> {
  const { args = [], persist = options.directory !== undefined, log = toStandardError } = options;
  // The server has a working directory of its own.
  const directory = options.directory && resolve(options.directory);
  if (how === 'container') {
    if (directory !== undefined) throw new Error('a container cannot keep its data in a folder here');
    const container = await startContainer(recipe, { args, persist }, log);
    return async () => container;
  }
  const program = how === 'binary' ? await recipe.local() : await recipe.fetch(log);
  if (directory !== undefined) await mkdir(directory, { recursive: true });
  return () =>
    startProcess(name, program, (place) =>
      commandLine(recipe, program.file, { ...place, args, persist, directory: directory ?? place.directory }),
    );
}

async function running(name: ServerName, recipe: Recipe, how: OwnWay, start: Start): Promise<OwnServer> {
  for (let attempt = 1; ; attempt++) {
    const instance = await start();
    const url = recipe.url(instance.host, instance.port);
    const ready = () => answer(recipe, url, startTimeoutMs, () => instance.fault());
    let stopped: Promise<void> | undefined;
    const stop = () => {
      stopped ??= instance.end();
      return stopped;
    };
    try {
      return {
        name,
        url,
        how,
        version: await ready(),
        stop,
        [Symbol.asyncDispose]: stop,
        pause: () => instance.pause(),
        resume: () => instance.resume(),
        kill: () => instance.kill(),
        async restart() {
          await instance.kill();
          await instance.start();
          await ready();
        },
      };
    } catch (error) {
      await stop();
      // Somebody took the port between our choice and the server's start; the next start chooses another.
      if (attempt === 3 || !/address already in use/i.test(String(error))) throw error;
    }
  }
}

async function named(name: ServerName, recipe: Recipe, url: string): Promise<Server> {
  const wanted = recipe.protocols.map((protocol) => `${protocol}//`).join(' or ');
  if (!URL.canParse(url) || !recipe.protocols.includes(new URL(url).protocol)) {
    throw new Error(`${recipe.urlVariable} has to be a URL that starts with ${wanted}`);
  }
  const { host } = new URL(url);
  const version = await answer(recipe, url, namedTimeoutMs, () => undefined).catch((cause: unknown) => {
    const advice = `Start it, or unset ${recipe.urlVariable} to have a server started.`;
    throw new Error(`${recipe.urlVariable} names a server at ${host}: ${reason(cause)}. ${advice}`, {
      cause,
    });
  });
  const stop = async () => {};
  return { name, url, version, how: 'url', stop, [Symbol.asyncDispose]: stop };
}

/** Asks until it answers, with its version. */
async function answer(
  recipe: Recipe,
  url: string,
  timeoutMs: number,
  fault: () => string | undefined,
): Promise<string> {
  for (const deadline = performance.now() + timeoutMs; ; await delay(20)) {
    try {
      const version = await recipe.probe(url);
      if (fault() === undefined) return version;
    } catch (cause) {
      if (performance.now() > deadline)
        throw new Error(`no answer in ${timeoutMs} ms (${reason(cause)})`, { cause });
    }
    const ended = fault();
    if (ended !== undefined) throw new Error(ended);
  }
}

function recipeFor(name: string): Recipe {
  if (isServerName(name)) return recipes[name];
  throw new Error(`startServer: no server '${name}', only ${serverNames.join(', ')}`);
}

/** The ways that `SERVER_WAYS`, as in `container,binary`, leaves open. Unset or empty, every way is. */
function openWays(): readonly string[] {
  const ways = (process.env['SERVER_WAYS'] || everyWay.join()).split(',');
  const unknown = ways.find((given) => !everyWay.some((known) => known === given));
  if (unknown === undefined) return ways;
  throw new Error(`SERVER_WAYS has '${unknown}', and takes a comma-separated list of ${everyWay.join(', ')}`);
}

/** Where messages go that nobody else wants. */
export function toStandardError(message: string): void {
  process.stderr.write(`test-servers: ${message}\n`);
}
