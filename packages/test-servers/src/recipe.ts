import type { Program } from './program.js';

/** Tells a person what takes long. */
export type Log = (message: string) => void;

/** How one server process is set up. */
export interface Setup {
  readonly host: string;
  readonly port: number;
  /** Where it may write. */
  readonly directory: string;
  /** Whether acknowledged writes must survive a kill. */
  readonly persist: boolean;
  /** The caller's own arguments; they come last, so they win. */
  readonly args: readonly string[];
}

/** Everything that is particular to one kind of server. */
export interface Recipe {
  /** What people call it. */
  readonly title: string;
  /** Environment variable that names a server which is already running. */
  readonly urlVariable: string;
  readonly protocols: readonly string[];
  /** Environment variable that names another image, for mirrors and images built locally. */
  readonly imageVariable: string;
  readonly image: string;
  /** Where it listens inside a container. */
  readonly containerPort: number;
  /** The program's name in an image. */
  readonly command: string;
  /** Finds the program on this machine, or says why not. */
  local(): Promise<Program>;
  /** Gets the program into the cache folder without root, or says why not. */
  fetch(log: Log): Promise<Program>;
  args(setup: Setup): string[];
  /** Shell commands to run before it, to make its data directory, say: `$0` is the program, `$@` are its arguments. */
  prepare?(setup: Setup): string;
  url(host: string, port: number): string;
  /** The version of the server at `url`; rejects while it is not ready. */
  probe(url: string): Promise<string>;
}

/** The command that starts a server, with what it needs before in the same process. */
export function commandLine(recipe: Recipe, program: string, setup: Setup): [string, ...string[]] {
  const args = recipe.args(setup);
  if (recipe.prepare === undefined) return [program, ...args];
  return ['sh', '-c', `set -e\n${recipe.prepare(setup)}\nexec "$0" "$@"`, program, ...args];
}
