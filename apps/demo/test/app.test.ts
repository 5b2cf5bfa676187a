import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { asBrowser, describeEachStore, serve, Visitor } from './helpers.js';

const anonymous = { user: null, role: null };

describeEachStore('the demo', (storeName, open) => {
  const start = async (options = {}) => new Visitor(await serve({ store: open(), storeName, ...options }));

  test('counts the views of a session, on the page and in the API', async () => {
    const visitor = await start();
    const page = await visitor.ask('/', { headers: asBrowser });
    expect(page.status).toBe(200);
    expect(page.headers.get('Content-Type')).toMatch('text/html');
    expect(page.text).toMatch(/<dt>Page views<\/dt><dd>1<\/dd>/);
    expect(await visitor.session()).toEqual({
      ...anonymous,
      store: storeName,
      views: 2,
      expiresAt: expect.any(String),
      flash: [],
      cart: [],
    });
    expect((await visitor.ask('/')).text).toMatch(/<dt>Page views<\/dt><dd>3<\/dd>/);
    expect(await new Visitor(visitor.base).session()).toMatchObject({ views: 1 });
  });

  test('tells when the session ends, and moves that with every view', async () => {
    const visitor = await start({ maxAge: 60_000 });
    const left = async () => Date.parse(String(Object(await visitor.session()).expiresAt)) - Date.now();
    expect(await left()).toBeGreaterThan(58_000);
    await sleep(1100);
    const again = await left();
    expect(again).toBeGreaterThan(59_000);
    expect(again).toBeLessThanOrEqual(60_000);
  });

  test('sets one cookie that scripts and other sites do not get', async () => {
    const visitor = await start();
    const [cookie, ...others] = (await visitor.ask('/')).headers.getSetCookie();
    expect(others).toEqual([]);
    expect(cookie).toMatch(/^session-stores-demo=s%3A.+; Path=\/; Expires=.+; HttpOnly; SameSite=Lax$/);
  });

  test('logs in by form: a new id, the cart kept, the old cookie dead, the message shown once', async () => {
    const visitor = await start();
    await visitor.ask('/cart', { form: { item: 'Pocket watch' } });
    const before = visitor.copy();
    const login = await visitor.login();
    expect(login.status).toBe(303);
    expect(login.headers.get('Location')).toBe('/');
    expect(visitor.sessionId).not.toBe(before.sessionId);
    expect(await visitor.session()).toMatchObject({
      user: 'alice',
      role: 'user',
      cart: ['Pocket watch'],
      flash: ['Welcome, alice. Your session has a new id.'],
    });
    expect(await visitor.session()).toMatchObject({ user: 'alice', flash: [] });
    expect(await before.session()).toMatchObject({ ...anonymous, views: 1, cart: [] });
  });

  test('logs in by JSON and answers in JSON', async () => {
    const visitor = await start();
    const login = await visitor.ask('/login', { json: { username: 'admin', password: 'looking-glass' } });
    expect(login.status).toBe(200);
    expect(login.json()).toMatchObject({ store: storeName, user: 'admin', role: 'admin' });
    expect(await visitor.session()).toMatchObject({ user: 'admin', role: 'admin' });
  });

  test('does not hand what one account gathered to the next', async () => {
    const visitor = await start();
    await visitor.login();
    await visitor.ask('/cart', { form: { item: 'Teapot' } });
    await visitor.login('admin', 'looking-glass');
    expect(await visitor.session()).toMatchObject({ user: 'admin', cart: [], views: 1 });
  });

  test('refuses a wrong password and an unknown name alike, and changes nothing', async () => {
    const visitor = await start();
    await visitor.ask('/');
    const { sessionId } = visitor;
    for (const username of ['alice', 'nobody', '__proto__', 'Alice']) {
      const page = await visitor.ask('/login', {
        form: { username, password: 'looking-glass' },
        headers: asBrowser,
      });
      expect(page.status).toBe(401);
      expect(page.text).toContain('Wrong username or password.');
      const data = await visitor.ask('/login', { json: { username, password: 'looking-glass' } });
      expect([data.status, data.json()]).toEqual([401, { error: 'Wrong username or password.' }]);
    }
    expect(visitor.sessionId).toBe(sessionId);
    expect(await visitor.session()).toMatchObject({ ...anonymous, views: 2 });
    expect((await new Visitor(visitor.base).login('alice', 'x')).headers.getSetCookie()).toEqual([]);
  });

  test('says what a field has to be', async () => {
    const visitor = await start();
    const answers = [
      [{ json: { username: 'alice' } }, 'password is missing.'],
      [
        { json: { username: { $gt: '' }, password: 'x' } },
        'username has to be a text of up to 100 characters, got a value of type object.',
      ],
      [{ json: { username: ' ', password: 'x' } }, 'username is missing.'],
      [
        { json: { username: 'x'.repeat(101), password: 'x' } },
        'username has to be a text of up to 100 characters, got 101 characters.',
      ],
    ] as const;
    for (const [ask, error] of answers) {
      const answer = await visitor.ask('/login', ask);
      expect([answer.status, answer.json()]).toEqual([400, { error }]);
    }
    expect((await visitor.ask('/cart', { json: { item: 7 } })).status).toBe(400);
    expect((await visitor.ask('/cart', { json: { item: 'x'.repeat(20_000) } })).status).toBe(413);
    const broken = { method: 'POST', headers: { 'Content-Type': 'application/json' } };
    const response = await fetch(`${visitor.base}/cart`, { ...broken, body: '{"item":' });
    expect([response.status, Object.keys(Object(await response.json()))]).toEqual([400, ['error']]);
  });

  test('logs out: the cookie is cleared, its copies are dead', async () => {
    const visitor = await start();
    await visitor.login();
    const thief = visitor.copy();
    const logout = await visitor.ask('/logout', { form: {} });
    expect([logout.status, logout.headers.get('Location')]).toEqual([303, '/']);
    expect(visitor.jar.size).toBe(0);
    expect(await thief.session()).toMatchObject({ ...anonymous, views: 1 });

    await visitor.login();
    const data = await visitor.ask('/logout', { json: {} });
    expect([data.status, data.json()]).toEqual([200, { store: storeName, ...anonymous }]);
  });

  test('a logout is final while a slow request runs', async () => {
    const store = open();
    const loads = vi.spyOn(store, 'get');
    const visitor = new Visitor(await serve({ store, storeName }));
    await visitor.login();
    const tab = visitor.copy();
    const copy = visitor.copy();
    loads.mockClear();
    const slow = tab.ask('/slow?ms=300', { form: { item: 'Late' } });
    await expect.poll(() => loads.mock.calls).toHaveLength(1);
    await visitor.ask('/logout', { form: {} });
    expect((await slow).status).toBe(303);
    expect(await tab.session()).toMatchObject({ ...anonymous, cart: [] });
    expect(await copy.session()).toMatchObject({ ...anonymous, cart: [] });
  });

  test('a session that expires while a slow request runs stays expired', async () => {
    const visitor = await start({ maxAge: 300 });
    await visitor.login();
    const copy = visitor.copy();
    expect((await visitor.ask('/slow?ms=600', { form: {} })).status).toBe(303);
    expect(await copy.session()).toMatchObject({ ...anonymous, cart: [], views: 1 });
  });

  test('adds to the cart, at once and after a pause', async () => {
    const visitor = await start();
    const added = await visitor.ask('/cart', { form: { item: 'Teapot' } });
    expect([added.status, added.headers.get('Location')]).toEqual([303, '/']);
    const began = performance.now();
    const slow = await visitor.ask('/slow?ms=120', { json: { item: 'Mallet' } });
    expect(performance.now() - began).toBeGreaterThan(118);
    expect(slow.json()).toMatchObject({ cart: ['Teapot', 'Mallet'] });
    expect(await visitor.session()).toMatchObject({
      cart: ['Teapot', 'Mallet'],
      flash: ['Teapot is in your cart.', 'Mallet is in your cart.'],
    });
  });

  test('bounds the pause', async () => {
    const visitor = await start();
    for (const ms of ['10001', '-1', '1.5', 'soon', '', '1&ms=2']) {
      const answer = await visitor.ask(`/slow?ms=${ms}`, { json: {} });
      expect(answer.status).toBe(400);
      expect(answer.text).toContain('ms has to be a whole number of milliseconds from 0 to 10000');
    }
  });

  test('answers a hundred requests at once on one session', async () => {
    const visitor = await start();
    await visitor.login();
    const asks = Array.from({ length: 100 }, (_, n) =>
      n % 2 === 0 ? visitor.copy().ask('/') : visitor.copy().ask('/cart', { form: { item: `Item ${n}` } }),
    );
    const statuses = (await Promise.all(asks)).map(({ status }) => status);
    expect(statuses).toEqual(statuses.map((_, n) => (n % 2 === 0 ? 200 : 303)));
    expect(await visitor.session()).toMatchObject({
      user: 'alice',
      cart: expect.arrayContaining([expect.any(String)]),
    });
  });

  test('shows the live sessions to admins, with masked ids', async () => {
    const alice = await start();
    expect((await alice.ask('/debug/sessions')).status).toBe(401);
    await alice.login();
    expect((await alice.ask('/debug/sessions')).status).toBe(403);

    const admin = new Visitor(alice.base);
    await admin.login('admin', 'looking-glass');
    const data = await admin.ask('/debug/sessions');
    const { count, sessions } = Object(data.json());
    expect(count).toBe(sessions.length);
    expect(sessions).toContainEqual({
      id: expect.stringMatching(/^#[\da-f]{8}$/),
      user: 'alice',
      role: 'user',
      views: 0,
      cart: 0,
      expiresAt: expect.any(String),
      current: false,
    });
    expect(sessions).toContainEqual(expect.objectContaining({ user: 'admin', current: true }));

    const page = await admin.ask('/debug/sessions', { headers: asBrowser });
    expect(page.text).toContain('<h1>Live sessions</h1>');
    for (const { text } of [data, page]) {
      expect(admin.sessionId).toHaveLength(32);
      expect(text).not.toContain(admin.sessionId);
      expect(text).not.toContain(alice.sessionId);
    }
  });

  test('asks the store for its health without making a session', async () => {
    const visitor = await start();
    const health = await visitor.ask('/health');
    expect([health.status, health.json()]).toEqual([200, { status: 'ok', store: storeName }]);
    expect(health.headers.getSetCookie()).toEqual([]);
  });

  test('escapes what people typed', async () => {
    const visitor = await start();
    const hostile = `<script>alert("1")</script>&'`;
    await visitor.ask('/cart', { form: { item: hostile } });
    const { text } = await visitor.ask('/');
    expect(text).not.toContain('<script');
    expect(text.split('&#60;script&#62;alert(&#34;1&#34;)&#60;/script&#62;&#38;&#39;')).toHaveLength(3);
    const refused = await visitor.ask(`/slow?ms=${encodeURIComponent(hostile)}`, {
      form: {},
      headers: asBrowser,
    });
    expect(refused.text).not.toContain('<script');
  });

  test('has security headers, and keeps pages out of caches', async () => {
    const { headers } = await (await start()).ask('/');
    expect(headers.get('Content-Security-Policy')).toMatch(/^default-src 'none';/);
    expect(headers.get('Content-Security-Policy')).not.toMatch('unsafe');
    expect(headers.get('X-Content-Type-Options')).toBe('nosniff');
    expect(headers.get('X-Powered-By')).toBeNull();
    expect(headers.get('Cache-Control')).toBe('no-store');
  });

  test('answers an unknown route with 404, as a page or as data', async () => {
    const visitor = await start();
    const page = await visitor.ask('/nowhere', { headers: asBrowser });
    expect(page.status).toBe(404);
    expect(page.text).toContain('There is no such page.');
    const data = await visitor.ask('/api/nowhere');
    expect([data.status, data.json()]).toEqual([404, { error: 'There is no such page.' }]);
    expect(visitor.jar.size).toBe(0);
  });

  test('refuses posts that come from another site', async () => {
    const visitor = await start();
    const { host } = new URL(visitor.base);
    const status = async (headers: Record<string, string>) =>
      (await visitor.copy().ask('/login', { form: { username: 'alice', password: 'wonderland' }, headers }))
        .status;
    expect(await status({ 'Sec-Fetch-Site': 'cross-site', Origin: `http://${host}` })).toBe(403);
    expect(await status({ 'Sec-Fetch-Site': 'same-site' })).toBe(403);
    expect(await status({ Origin: 'http://evil.example' })).toBe(403);
    expect(await status({ Origin: 'null' })).toBe(403);
    expect(await status({ 'Sec-Fetch-Site': 'same-origin', Origin: `http://${host}` })).toBe(303);
    expect(await status({ 'Sec-Fetch-Site': 'none' })).toBe(303);
    expect(await status({ Origin: `http://${host}` })).toBe(303);
    expect((await visitor.ask('/', { headers: { 'Sec-Fetch-Site': 'cross-site' } })).status).toBe(200);
  });

  test('in production: a secure cookie behind a proxy, none over plain HTTP, no sessions view, no passwords shown', async () => {
    const https = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'demo.example' };
    const base = await serve({ store: open(), storeName, production: true });
    const visitor = new Visitor(base, { ...https, Origin: 'https://demo.example' });
    const [cookie] = (await visitor.login('admin', 'looking-glass')).headers.getSetCookie();
    expect(cookie).toMatch(
      /^__Host-session-stores-demo=.+; Path=\/; Expires=.+; HttpOnly; Secure; SameSite=Lax$/,
    );
    const page = await visitor.ask('/');
    expect(page.text).toContain('Welcome, admin');
    expect(page.text).not.toContain('/debug/sessions');
    expect((await visitor.ask('/debug/sessions')).status).toBe(404);
    const [cleared] = (await visitor.ask('/logout', { form: {} })).headers.getSetCookie();
    expect(cleared).toMatch(
      /^__Host-session-stores-demo=; Path=\/; Expires=Thu, 01 Jan 1970.+; HttpOnly; Secure/,
    );
    expect((await visitor.ask('/')).text).not.toContain('wonderland');

    const plain = await new Visitor(base).ask('/');
    expect(plain.headers.getSetCookie()).toEqual([]);
    expect(plain.text).toContain('over HTTPS only');
  });

  test('can bind a login to the address that it came from', async () => {
    const base = await serve({ store: open(), storeName, production: true, bindAddress: true });
    const from = (address: string) => ({ 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': address });
    const owner = new Visitor(base, from('192.0.2.1'));
    await owner.login();
    const thief = owner.copy(from('192.0.2.2'));
    const refused = await thief.ask('/api/session');
    expect(refused.status).toBe(401);
    expect(refused.text).toContain('another address');
    expect(thief.jar.size).toBe(0);
    expect((await thief.ask('/api/session')).json()).toMatchObject(anonymous);
    expect(await owner.session()).toMatchObject({ user: 'alice' });
  });
});
