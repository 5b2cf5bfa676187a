import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * The one folder outside the repository that is written to: `$SESSION_STORES_CACHE`, which `npm start` and `npm test` set, else
 * `$XDG_CACHE_HOME/session-stores`, else `~/.cache/session-stores`. Safe to delete at any time.
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const { SESSION_STORES_CACHE, XDG_CACHE_HOME } = env;
  return SESSION_STORES_CACHE || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'session-stores');
}
