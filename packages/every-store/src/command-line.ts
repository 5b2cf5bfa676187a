import { type ParseArgsConfig, parseArgs } from 'node:util';
import { type StoreName, storeKind } from './stores.js';

/** A wrong argument: what was given, and what is wanted. */
export class UsageError extends Error {}

/**
 * What the command line says.
 *
 * @throws {UsageError} for an option that there is not, or that has no value.
 */
export function parsed<Config extends ParseArgsConfig>(
  config: Config,
): ReturnType<typeof parseArgs<Config>>['values'] {
  try {
    return parseArgs(config).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/**
 * Those of these stores that `--store` means: `ours`, `peers`, `all` or names, with commas between them.
 *
 * @throws {UsageError}
 */
export function storesIn<Name extends StoreName>(given: string, stores: readonly Name[]): Name[] {
  return given.split(',').flatMap((name) => {
    const found = stores.filter((each) => {
      const group = storeKind(each).ours ? 'ours' : 'peers';
      return name === each || name === group || name === 'all';
    });
    if (found.length > 0) return found;
    throw new UsageError(`--store must be ours, peers, all or names of stores, got '${name}'`);
  });
}

/** Runs a program to its exit code; 2 when it could not run. */
export function runProgram(main: () => Promise<number>, usage: string): void {
  main().then(
    (code) => process.exit(code),
    (error: unknown) => {
      console.error(error instanceof UsageError ? `${error.message}\n\n${usage}` : error);
      process.exit(2);
    },
  );
}
