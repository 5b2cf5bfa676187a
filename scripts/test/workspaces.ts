import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

interface Manifest {
  name: string;
  private?: boolean;
  exports?: Record<string, unknown>;
  scripts: Record<string, string>;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  [field: string]: unknown;
}

/** A JSON file of the repository, by its path from the root. */
export function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(`${root}${file}`, 'utf8'));
}

function list(group: string) {
  return readdirSync(`${root}${group}`).map((folder) => {
    const path = `${group}/${folder}`;
    return { folder, path, manifest: readJson<Manifest>(`${path}/package.json`) };
  });
}

export const workspaces = [...list('packages'), ...list('apps')];
export const publicPackages = workspaces.filter(({ manifest }) => !manifest.private);
