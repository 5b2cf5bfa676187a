import type { Status } from '@session-stores/conformance';
import type { StoreName } from '@session-stores/every-store';
import type { Asked, Judged, Matrix } from '../src/matrix.js';

/** What a store may say, to see whether a page takes it for its own words. */
export const hostile = `</script><img src=x onerror="document.title='hurt'"><!-- | \`code\` **bold** [link](x)`;

const source = { quote: 'as it is *required*', url: 'https://example.org/source#here' };

const asked: readonly Asked[] = [
  { id: 'CONTRACT-006', group: 'CONTRACT', level: 'MUST', title: 'get answers', why: 'It has to.', source },
  { id: 'IDS-010', group: 'IDS', level: 'MUST', title: 'Ids such as __proto__ work', why: hostile, source },
  { id: 'RACE-001', group: 'RACE', level: 'SHOULD', title: 'No late write', why: 'Logouts.', source },
];

/** A store that was judged, with these statuses for what was asked. */
export function judged(name: StoreName, statuses: readonly Status[], about: Partial<Judged> = {}): Judged {
  const results = asked.map(({ id }, n) => {
    const status = statuses[n] ?? 'pass';
    return { id, status, evidence: status === 'pass' ? '' : hostile, ms: 1234 };
  });
  return {
    ...{ name, ours: false, seconds: 3, store: { name, version: '1.2.3' }, results },
    ...{ suite: { name: 'the suite', version: '4.5.6' }, node: '20.20.2', date: '2026-11-22T12:00:00.000Z' },
    ...about,
  };
}

export const matrix: Matrix = {
  requirements: asked,
  stores: [
    judged('memory', ['pass', 'pass', 'pass'], { ours: true }),
    judged('memorystore', ['fail', 'pass', 'warn']),
    judged('connect-redis-10', ['pass', 'fail', 'unsupported'], {
      driver: { name: 'redis', version: '6.3.1' },
      server: { name: 'Redis', version: '7.0.15' },
    }),
    judged('express-session', ['pass', 'inconclusive', 'warn']),
  ],
  notJudged: [{ name: 'connect-mongo', because: `No mongo server is to be had here. ${hostile}` }],
};
