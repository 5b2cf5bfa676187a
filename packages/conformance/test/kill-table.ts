import { pathToFileURL } from 'node:url';
import type { Requirement } from '../src/requirement.js';
import { requirements } from '../src/requirements/index.js';
import { mutants, sharedMutants } from './mutants.js';

/** One requirement, and the mutants that it catches. */
export interface Row {
  readonly requirement: Requirement;
  readonly kills: readonly string[];
  /** Those that nothing else catches. */
  readonly alone: readonly string[];
}

/** Which requirement catches which mutant, as the mutants say; the tests prove that they say it rightly. */
export function killTable(): readonly Row[] {
  const caught = [
    ...Object.entries(mutants).map(([name, mutant]) => [name, mutant.caught] as const),
    ...Object.entries(sharedMutants),
  ].map(([name, ids]) => ({ name, ids: ids.split(' ') }));
  return requirements.map((requirement) => {
    const kills = caught.filter(({ ids }) => ids.includes(requirement.id));
    return {
      requirement,
      kills: kills.map(({ name }) => name),
      alone: kills.filter(({ ids }) => ids.length === 1).map(({ name }) => name),
    };
  });
}

function print(rows: readonly Row[]): void {
  for (const { requirement, kills, alone } of rows) {
    console.log(`${requirement.id} ${requirement.level} ${requirement.title}`);
    for (const name of kills) console.log(`  ${alone.includes(name) ? '!' : ' '} ${name}`);
  }
  const ids = (some: readonly Row[]) => some.map(({ requirement }) => requirement.id).join(' ') || 'none';
  const names = new Set(rows.flatMap(({ kills }) => kills));
  console.log(`
${names.size} mutants, ${rows.length} requirements; ! marks what no other requirement catches.
Catch no mutant: ${ids(rows.filter(({ kills }) => kills.length === 0))}
Catch only what others catch too: ${ids(rows.filter(({ kills, alone }) => kills.length > 0 && alone.length === 0))}`);
}

if (import.meta.url === pathToFileURL(String(process.argv[1])).href) print(killTable());
