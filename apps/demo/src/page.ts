import { hints, type Role } from './accounts.js';
import { type Html, html } from './html.js';
import { mostRounds, requestsAtOnce, type Standing, type Step } from './race.js';
import { type StoreName, stores } from './stores.js';

/** What a visitor is shown of their session. */
export interface SessionView {
  readonly store: StoreName;
  readonly views: number;
  readonly user: string | null;
  readonly role: Role | null;
  /** When the session ends unless another request comes, ISO 8601. */
  readonly expiresAt: string | null;
  readonly flash: readonly string[];
  readonly cart: readonly string[];
}

/** What an admin is shown of somebody's session. */
export interface SessionRow {
  /** A short hash of the id. */
  readonly id: string;
  readonly user: string | null;
  readonly role: Role | null;
  readonly views: number;
  readonly cart: number;
  readonly expiresAt: string | null;
  /** Whether it is the session of who asks. */
  readonly current: boolean;
}

/** What is the same on every page. */
export interface Site {
  readonly store: StoreName;
  /** Where the sessions are, in a few words. */
  readonly where: string;
  readonly production: boolean;
  /** How long "Add slowly" takes, in milliseconds. */
  readonly pause: number;
}

/** The request that a page answers. */
interface Visit {
  /** A short hash of the session's id. */
  readonly id: string;
  /** Whether it came over HTTPS. */
  readonly secure: boolean;
  /** Why the login was refused. */
  readonly refused?: string;
}

export function homePage(site: Site, home: SessionView, { id, secure, refused }: Visit): string {
  const { label, about } = stores[site.store];
  return layout(
    site,
    `Your session, kept in ${label}`,
    html`
      ${home.flash.length > 0 && notice('status', html`${home.flash.map((text) => html`<p>${text}</p>`)}`)}
      ${site.production && !secure && notice('alert', html`<p>In production the cookie is sent over HTTPS only, and this page came over plain HTTP: nothing you do here is remembered.</p>`)}
      <section class="hero">
        <h1>Your session, kept in ${label}</h1>
        <p>${about}</p>
        <dl>
          <div><dt>Page views</dt><dd>${home.views}</dd></div>
          <div><dt>Logged in as</dt><dd>${home.user ?? 'nobody'}</dd></div>
          <div><dt>Expires in</dt><dd>${timeLeft(home.expiresAt)}</dd></div>
          <div><dt>Session</dt><dd><code>${id}</code></dd></div>
        </dl>
      </section>
      <div class="columns">
        ${home.user === null ? loginCard(site, refused) : accountCard(site, home.user, home.role)}
        ${cartCard(site, home.cart)}
      </div>
      ${guideCard(site)}`,
  );
}

function loginCard(site: Site, refused: string | undefined): Html {
  return html`
    <section class="card">
      <h2>Log in</h2>
      ${refused !== undefined && notice('alert', html`<p>${refused}</p>`)}
      <form method="post" action="/login">
        <label>Username <input name="username" autocomplete="username" autocapitalize="none" spellcheck="false" required></label>
        <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
        <button class="primary">Log in</button>
      </form>
      ${!site.production && html`<p class="hint">Try ${hints.map((hint, index) => html`${index > 0 && ' or '}<strong>${hint}</strong>`)}.</p>`}
    </section>`;
}

function accountCard(site: Site, user: string, role: Role | null): Html {
  return html`
    <section class="card">
      <h2>Welcome, ${user}</h2>
      <p>You are logged in with the role <strong>${role}</strong>. The login gave this session a new id; the old one is dead.</p>
      <form method="post" action="/logout"><button class="primary">Log out</button></form>
      ${role === 'admin' && !site.production && html`<p class="hint"><a href="/debug/sessions">Show all live sessions</a></p>`}
    </section>`;
}

function cartCard(site: Site, cart: readonly string[]): Html {
  return html`
    <section class="card">
      <h2>Cart${cart.length > 0 && html` <span class="count">${cart.length}</span>`}</h2>
      ${cart.length > 0 ? html`<ul class="cart">${cart.map((item) => html`<li>${item}</li>`)}</ul>` : html`<p>Nothing in it yet.</p>`}
      <form method="post" action="/cart">
        <label>Item <input name="item" value="Teapot" maxlength="100" required></label>
        <div class="buttons">
          <button class="primary">Add</button>
          <button formaction="/slow?ms=${site.pause}">Add slowly (${site.pause / 1000} s)</button>
        </div>
      </form>
    </section>`;
}

function guideCard(site: Site): Html {
  return html`
    <section class="card guide">
      <h2>What to try</h2>
      <ol>
        <li><strong>Reload.</strong> The browser holds a signed random id and nothing else; the counter is in the store.</li>
        <li><strong>Log in.</strong> Your cart comes along, the session’s id changes: one that somebody planted before is worthless.</li>
        <li><strong>Add slowly, and log out in another tab meanwhile.</strong> The late answer does not bring the session back.${!site.production && html` <a href="/race">Run this race</a> and another one, also on express-session’s own store.`}</li>
        <li><strong>Stop the demo and start it again.</strong> ${site.store === 'memory' ? 'Memory forgets you; on a server you are still logged in.' : 'You are still logged in.'}</li>
      </ol>
      <h2>Switch the store</h2>
      <p>This page runs on <strong>${stores[site.store].label}</strong>, ${site.where}. One variable changes that:</p>
      <dl class="commands">${Object.entries(stores).map(
        ([name, { label, server }]) => html`
        <div>
          <dt>${label}${name === site.store && html` <span class="count">in use</span>`}</dt>
          <dd><code>SESSION_STORE=${name} npm start</code>${server && html` <span class="hint">on the server in <code>${server.urlVariable}</code>, else on one that the demo starts</span>`}</dd>
        </div>`,
      )}
      </dl>
    </section>`;
}

export function sessionsPage(site: Site, count: number, sessions: readonly SessionRow[]): string {
  return layout(
    site,
    'Live sessions',
    html`
      <section class="hero">
        <h1>Live sessions</h1>
        <p>${plural(count, 'session')} in ${stores[site.store].label}${sessions.length < count && `, the first ${sessions.length} of them here`}. Ids are shown as short hashes: a whole one would be as good as a password.</p>
      </section>
      <div class="card table" role="region" aria-label="Live sessions" tabindex="0">
        <table>
          <thead><tr><th scope="col">Session</th><th scope="col">User</th><th scope="col">Role</th><th scope="col">Views</th><th scope="col">Cart</th><th scope="col">Ends in</th></tr></thead>
          <tbody>${sessions.map(
            (each) => html`
            <tr><th scope="row"><code>${each.id}</code>${each.current && html` <span class="count">you</span>`}</th><td>${each.user ?? '–'}</td><td>${each.role ?? '–'}</td><td>${each.views}</td><td>${each.cart}</td><td>${timeLeft(each.expiresAt)}</td></tr>`,
          )}
          </tbody>
        </table>
      </div>
      <p><a href="/">Back to your session</a></p>`,
  );
}

export function racePage(site: Site, rounds: number, standings: readonly Standing[] = []): string {
  return layout(
    site,
    'Two races',
    html`
      <section class="hero">
        <h1>Two races that a session store can lose</h1>
        <p>Requests of one visitor overlap all the time, and each works on its own copy of the session. Does a session that was ended meanwhile stay ended, and is everything kept that was added?</p>
      </section>
      ${standings.length > 0 && raceTable(standings)}
      ${standings.length > 0 && raceStory('A slow request, and a logout meanwhile', standings, ({ logout }) => logout)}
      ${standings.length > 0 && raceStory(`${requestsAtOnce} requests at once, each with an item for the cart`, standings, ({ cart }) => cart)}
      <section class="card">
        <h2>${standings.length > 0 ? 'Run them again' : 'Run them'}</h2>
        <p>On ${stores[site.store].label}, the store in use, and on the MemoryStore that comes with express-session: real requests to a small app on each, with sessions of their own that are gone afterwards.</p>
        <form method="post" action="/race">
          <label>Rounds <input name="rounds" type="number" min="1" max="${mostRounds}" value="${rounds}" required></label>
          <button class="primary">Run</button>
        </form>
      </section>
      <p><a href="/">Back to your session</a></p>`,
  );
}

function raceTable(standings: readonly Standing[]): Html {
  return html`
    <div class="card table" role="region" aria-label="Results" tabindex="0">
      <table>
        <thead><tr><th scope="col">Store</th><th scope="col">Rounds</th><th scope="col">Logouts undone</th><th scope="col">Items lost</th></tr></thead>
        <tbody>${standings.map(
          ({ store, rounds, cameBack, added, lost }) => html`
          <tr><th scope="row">${store}</th><td>${rounds}</td><td>${verdict(cameBack)} of ${rounds}</td><td>${verdict(lost)} of ${added}</td></tr>`,
        )}
        </tbody>
      </table>
    </div>
    <p class="hint">What follows is the first round, as it was measured.</p>`;
}

/** A count of faults. */
function verdict(count: number): Html {
  return html`<span class="verdict ${count === 0 ? 'status' : 'alert'}">${count}</span>`;
}

function raceStory(
  title: string,
  standings: readonly Standing[],
  story: (standing: Standing) => readonly Step[],
): Html {
  return html`
    <section>
      <h2>${title}</h2>
      <div class="columns">${standings.map(
        (standing) => html`
        <section class="card">
          <h3>${standing.store}</h3>
          <ol class="timeline">${story(standing).map(({ ms, text }) => html`<li><span class="hint">${ms.toFixed(1)} ms</span> ${text}</li>`)}</ol>
        </section>`,
      )}
      </div>
    </section>`;
}

export function problemPage(site: Site, title: string, message: string): string {
  return layout(
    site,
    title,
    html`
      <section class="hero">
        <h1>${title}</h1>
        <p>${message}</p>
        <p><a href="/">Go to the start page</a></p>
      </section>`,
  );
}

function layout(site: Site, title: string, content: Html): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>${title} · session-stores demo</title>
  <link rel="icon" href="/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/style.css">
</head>
<body>
  <header>
    <a class="brand" href="/"><img src="/icon.svg" alt="" width="28" height="28"> session-stores</a>
    <span class="badge"><span>Store: ${stores[site.store].label}</span></span>
  </header>
  <main>${content}</main>
  <footer>For scripts: <a href="/api/session">/api/session</a> and <a href="/health">/health</a></footer>
</body>
</html>
`;
  return page.text;
}

/** Screen readers announce it at once. */
function notice(role: 'status' | 'alert', content: Html): Html {
  return html`<div class="notice ${role}" role="${role}">${content}</div>`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function timeLeft(expiresAt: string | null): Html {
  if (expiresAt === null) return html`–`;
  const seconds = Math.max(0, Math.round((Date.parse(expiresAt) - Date.now()) / 1000));
  const text = seconds < 120 ? plural(seconds, 'second') : plural(Math.round(seconds / 60), 'minute');
  return html`<time datetime="${expiresAt}" title="${expiresAt}">${text}</time>`;
}
