import { mongo } from './mongo.js';
import { mariadb, mysql } from './mysql.js';
import { postgres } from './postgres.js';
import type { Recipe } from './recipe.js';
import { redis } from './redis.js';

/** Every kind of server that there is. A new one is one line. */
export const recipes = {
  mariadb,
  mongo,
  mysql,
  postgres,
  redis,
} satisfies Record<string, Recipe>;

export type ServerName = keyof typeof recipes;

export function isServerName(name: string): name is ServerName {
  return Object.hasOwn(recipes, name);
}

export const serverNames: readonly ServerName[] = Object.keys(recipes).filter(isServerName);
