import { runnable } from './program.js';
import type { Recipe } from './recipe.js';

export const example: Recipe = {
  title: 'Example',
  urlVariable: 'EXAMPLE_URL',
  protocols: ['example:'],
  imageVariable: 'EXAMPLE_IMAGE',
  image: 'example:latest',
  containerPort: 1234,
  command: 'example',

  local: () => runnable('example'),

  // `fromDebian`, if it is there.
  fetch: () => Promise.reject(new Error('where to fetch it from is not written yet')),

  args: ({ host, port, directory, args }) => [
    ...['--host', host, '--port', `${port}`, '--directory', directory],
    ...args,
  ],

  url: (host, port) => `example://${host}:${port}`,

  probe: () => Promise.reject(new Error('probe is not written yet')),
};
