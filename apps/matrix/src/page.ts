import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Matrix } from './matrix.js';
import { pageDataOf } from './page-data.js';

/** Also from the sources: a browser runs what was built. */
const script = new URL('../dist/browser.js', import.meta.url);
const style = new URL('../src/page.css', import.meta.url);

/**
 * The matrix as one HTML page that needs nothing else. What stores have said is in it as data, which the page shows as text;
 * and the page allows itself no script but its own.
 */
export function pageOf(matrix: Matrix): string {
  const code = readFileSync(script, 'utf8').replace(/^\/\/# sourceMappingURL.*$/m, '');
  const policy = `default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src '${sourceHash(code)}'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>Session stores: the matrix</title>
<link rel="icon" href="data:,">
<style>
${readFileSync(style, 'utf8')}</style>
</head>
<body>
<noscript><p>This page needs its script. matrix.md beside it says the same in short.</p></noscript>
<script type="application/json" id="data">${forScript(pageDataOf(matrix))}</script>
<script type="module">${code}</script>
</body>
</html>
`;
}

const sourceHash = (code: string) => `sha256-${createHash('sha256').update(code).digest('base64')}`;

/** As JSON in which no HTML begins or ends. */
const forScript = (data: unknown) => JSON.stringify(data).replaceAll('<', '\\u003c');
