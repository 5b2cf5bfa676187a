// `npm run new-adapter <name>`: writes packages/<name>, and makes it part of the workspace.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const usage = `usage: npm run new-adapter <name> [-- --class <Name>] [-- --server]

  <name>           of the package and its folder, as in redis
  --class <Name>   what its classes' names begin with, as in MySQL; default: <name> with a capital letter
  --server         its tests need a server; its recipe is written, if there is none of that name`;

const templates = fileURLToPath(new URL('new-adapter/', import.meta.url));
process.chdir(fileURLToPath(new URL('..', import.meta.url)));

function fail(problem) {
  console.error(`new-adapter: ${problem}`);
  process.exit(2);
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { class: { type: 'string' }, server: { type: 'boolean', default: false } },
    });
  } catch (error) {
    return fail(`${error.message}\n\n${usage}`);
  }
}

const { positionals, values } = readArguments();
const [name = '', ...more] = positionals;
if (name === '' || more.length > 0) fail(`give one name, got ${positionals.length}\n\n${usage}`);
if (!/^[a-z][a-z0-9]{0,29}$/.test(name)) {
  fail(`the name must be up to 30 lower-case letters and digits, a letter first, got '${name}'`);
}
const className = values.class ?? name[0].toUpperCase() + name.slice(1);
if (!/^[A-Z][A-Za-z0-9]*$/.test(className)) {
  fail(`--class must be letters and digits, a capital letter first, got '${className}'`);
}

const folder = `packages/${name}`;
const recipe = `packages/test-servers/src/${name}.ts`;
const taken = [folder, `apps/${name}`].find((path) => existsSync(path));
if (taken !== undefined) fail(`there is ${taken} already: choose another name`);

/** A template's text or file name, made out for this adapter. */
const made = (text) =>
  text.replaceAll('EXAMPLE', name.toUpperCase()).replaceAll('Example', className).replaceAll('example', name);

function copy(template, target) {
  for (const entry of readdirSync(join(templates, template), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const source = join(entry.parentPath, entry.name);
    const file = join(target, made(source.slice(join(templates, template).length)));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, made(readFileSync(source, 'utf8')));
  }
}

function edit(file, change) {
  writeFileSync(file, change(readFileSync(file, 'utf8')));
}

const editJson = (file, change) =>
  edit(file, (text) => {
    const value = JSON.parse(text);
    change(value);
    return `${JSON.stringify(value, null, 2)}\n`;
  });

copy('package', folder);
editJson('tsconfig.json', ({ references }) => {
  references.push({ path: folder }, { path: `${folder}/test` });
});
if (values.server) {
  copy('with-server/test', `${folder}/test`);
  editJson(`${folder}/package.json`, ({ devDependencies }) => {
    devDependencies['@session-stores/test-servers'] = 'workspace:^';
  });
}
const newServer = values.server && !existsSync(recipe);
if (newServer) {
  copy('with-server/server', dirname(recipe));
  edit(join(dirname(recipe), 'recipes.ts'), (text) =>
    text
      .replace('\n\n/**', `\nimport { ${name} } from './${name}.js';\n\n/**`)
      .replace('\n} satisfies', `\n  ${name},\n} satisfies`),
  );
}
const biome = join('node_modules', '.bin', 'biome');
execFileSync(biome, ['check', '--write', '--log-level=error', folder, dirname(recipe)], { stdio: 'inherit' });

console.log(`Wrote ${folder}${newServer ? ` and ${recipe}` : ''}.
docs/adding-an-adapter.md goes on from here, and this says what is missing: npx vitest run --project ${name}`);
