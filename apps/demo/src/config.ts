import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '@session-stores/test-servers/cache';
import { ConfigError } from './config-error.js';
import { isStoreName, type StoreName, storeNames } from './stores.js';

/** What the environment asks for. */
export interface Config {
  /** `SESSION_STORE`; default `memory`. */
  readonly store: StoreName;
  /** `PORT`; `undefined` means the first free one from 3000 up. */
  readonly port: number | undefined;
  /** `HOST`: where to listen. Default: this machine alone, because the accounts are known to everybody; in production everywhere. */
  readonly host: string | undefined;
  /** `SESSION_SECRET` signs the cookies. Without one, outside production, a secret that is made once and kept in `stateDir`. */
  readonly secret: string;
  /** `NODE_ENV=production`: cookies over HTTPS only, behind one proxy, and no sessions view. */
  readonly production: boolean;
  /** `SESSION_MAX_AGE`, in seconds: a session ends this long after its last request. In milliseconds here; default an hour. */
  readonly maxAge: number;
  /** `SESSION_BIND_ADDRESS`: a login is good only from the address that it came from. Default off. */
  readonly bindAddress: boolean;
  /** What outlives a restart is kept in this folder. */
  readonly stateDir: string;
}

/** @throws {ConfigError} */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const production = env['NODE_ENV'] === 'production';
  const stateDir = join(cacheFolder(env), 'demo');
  return {
    store: readStore(env['SESSION_STORE'] || 'memory'),
    port: readWhole(env, 'PORT', 0, 65_535),
    host: env['HOST'] || (production ? undefined : 'localhost'),
    maxAge: (readWhole(env, 'SESSION_MAX_AGE', 1, 31_536_000) ?? 3600) * 1000,
    bindAddress: readSwitch(env, 'SESSION_BIND_ADDRESS'),
    secret: env['SESSION_SECRET'] || defaultSecret(production, stateDir),
    production,
    stateDir,
  };
}

function readStore(name: string): StoreName {
  if (isStoreName(name)) return name;
  throw new ConfigError(`SESSION_STORE is "${name}"; it has to be one of: ${storeNames.join(', ')}.`);
}

function readWhole(env: NodeJS.ProcessEnv, name: string, min: number, max: number): number | undefined {
  const text = env[name];
  if (!text) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new ConfigError(`${name} is "${text}"; it has to be a whole number from ${min} to ${max}.`);
}

function readSwitch(env: NodeJS.ProcessEnv, name: string): boolean {
  const text = env[name] || 'false';
  if (['1', 'true'].includes(text)) return true;
  if (['0', 'false'].includes(text)) return false;
  throw new ConfigError(`${name} is "${text}"; it has to be one of: 1, true, 0, false.`);
}

/** A new secret with each start would log everybody out, so the generated one is kept. */
function defaultSecret(production: boolean, dir: string): string {
  if (production) {
    throw new ConfigError(
      'SESSION_SECRET is missing; production needs a long random text that only you know.',
    );
  }
  const file = join(dir, 'secret');
  const secret = randomBytes(32).toString('base64url');
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    writeFileSync(file, secret, { flag: 'wx', mode: 0o600 });
  } catch {
    // There is one already, or the folder cannot be written; then the secret is good for this start only.
  }
  try {
    return readFileSync(file, 'utf8') || secret;
  } catch {
    return secret;
  }
}
