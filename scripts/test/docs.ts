import { execFile } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { publicPackages, root } from './workspaces.js';

const run = promisify(execFile);

/** What is written for readers, by its path from the root. */
export const documents = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs')).flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : [])),
  ...publicPackages.map(({ path }) => `${path}/README.md`),
];

export const read = (document: string) => readFileSync(join(root, document), 'utf8');

/** A fenced block. */
export interface Block {
  readonly document: string;
  /** The line of its fence. */
  readonly line: number;
  readonly language: string;
  readonly code: string;
}

export function blocksOf(document: string): Block[] {
  const text = read(document);
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(({ index, 1: language = '', 2: code = '' }) => {
    return { document, line: text.slice(0, index).split('\n').length, language, code };
  });
}

/** A module that a reader makes of a block: the block itself, or one side of a diff. */
export interface Module {
  readonly block: Block;
  /** Its path without the extension. */
  readonly name: string;
  readonly code: string;
}

export function modulesOf(block: Block): Module[] {
  const module = (code: string, side = '') => ({
    block,
    name: `${block.document}-${block.line}${side}`,
    code,
  });
  const side = (other: string) =>
    block.code.replace(new RegExp(`^\\${other}.*`, 'gm'), '').replace(/^[ +-]/gm, '');
  if (block.language === 'ts') return [module(block.code)];
  if (block.language === 'diff') return [module(side('+'), '-before'), module(side('-'), '-after')];
  return [];
}

/**
 * Compiles modules as an application in TypeScript would, with what `fixtures/application.mts` gives them, and answers the folder with the
 * JavaScript. An error tells the document and its line.
 */
export async function compile(modules: readonly Module[]): Promise<string> {
  // Inside the repository, where its dependencies are found.
  mkdirSync(join(root, 'results'), { recursive: true });
  const folder = mkdtempSync(join(root, 'results/docs-'));
  copyFileSync(join(root, 'scripts/test/fixtures/application.mts'), join(folder, 'application.mts'));
  for (const { name, block, code } of modules) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, `${name}.mts`), `export {};${'\n'.repeat(block.line)}${installed(code)}`);
  }
  copyFileSync(
    join(root, 'packages/sqlite/test/better-sqlite3-session-store.d.ts'),
    join(folder, 'better-sqlite3-session-store.d.ts'),
  );
  const compilerOptions = {
    strict: true,
    module: 'nodenext',
    target: 'es2023',
    types: ['node'],
    skipLibCheck: true,
    // Also those that the repository itself does not depend on.
    paths: Object.fromEntries(publicPackages.flatMap(entriesOf)),
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
  try {
    await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'], { cwd: folder });
  } catch (error) {
    rmSync(folder, { recursive: true });
    throw new Error(
      `The code of the docs does not compile:\n${(error as { stdout?: string }).stdout || error}`,
    );
  }
  return folder;
}

/** Where the types of what can be imported from a package are. */
function entriesOf({ path, manifest }: (typeof publicPackages)[number]): [string, string[]][] {
  return Object.entries(manifest.exports ?? {}).map(([entry, target]) => {
    const { types } = target as { types: string };
    return [manifest.name + entry.slice(1), [join(root, path, types)]];
  });
}

/** The code with what stands here for packages of other names. */
function installed(code: string): string {
  // Two versions of connect-redis are installed: one that takes ioredis, and one that takes the package redis.
  const versioned = code.includes("'redis'") ? code.replace("'connect-redis'", "'connect-redis-10'") : code;
  // libsql has the interface of better-sqlite3, which would have to be compiled.
  return versioned.replace("'better-sqlite3'", "'libsql'");
}
