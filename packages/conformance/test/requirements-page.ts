import { groups, type Requirement } from '../src/requirement.js';
import { requirements } from '../src/requirements/index.js';
import type { Source } from '../src/sources.js';

const entry = ({ id, level, title, why, source }: Requirement) => `### ${id}

**${level}** ${text(title)}.

${text(why)}

> ${linked(source)}

[express-session](${source.url})
`;

/** Outside of code, what Markdown would take for markup: names such as __proto__. */
const text = (sentence: string) => sentence.replace(/[_*<>]/g, '\\$&');

/** The words, whose links lead to where they stand. */
const linked = ({ quote, url }: Source) => quote.replaceAll('](#', `](${url.replace(/#.*/, '')}#`);

/** The requirements as a page. */
export const page = `# The requirements

What a store for express-session has to do, by group. Each has a permanent id, a level, the reason why it matters, and the words of
express-session that ask for it. [The suite](../packages/conformance) judges any store by them.

This page is written by \`pnpm --filter @session-stores/conformance requirements-page\`.
${groups
  .map((group) => {
    const entries = requirements.filter((requirement) => requirement.group === group).map(entry);
    return `\n## ${group}\n\n${entries.join('\n')}`;
  })
  .join('')}`;
