import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SessionStore } from '@session-stores/core';
import { startServer } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { describe, expect, onTestFinished } from 'vitest';
import { type AppOptions, createApp } from '../src/app.js';
import { type StoreName, storeNames, stores } from '../src/stores.js';

/** Runs the tests once for every store of the demo, on servers of their own. `open` opens one that is closed after the test. */
export function describeEachStore(
  title: string,
  tests: (name: StoreName, open: () => SessionStore) => void,
): void {
  for (const name of storeNames) {
    const { label, server, open } = stores[name];
    const opener = (url: string) => () => {
      const store = open(url);
      onTestFinished(() => store.close());
      return store;
    };
    if (server === undefined) describe(`${title} on ${label}`, () => tests(name, () => opener(newFile())()));
    else {
      const start = () => startServer(server.name, { private: true });
      describeOnServer(start, `${title} on ${label}`, ({ url }) => tests(name, opener(url)));
    }
  }
}

/** For a store that keeps its sessions in a file; others do not look at it. */
function newFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'session-stores-demo-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, 'sessions.db');
}

/** Serves the demo until the test ends; returns its address. */
export async function serve(
  options: Pick<AppOptions, 'store' | 'storeName'> & Partial<AppOptions>,
): Promise<string> {
  const app = createApp({
    where: 'in a test',
    secret: 'a secret for tests',
    openAnother: () => expect.unreachable('no races in this test'),
    ...options,
  });
  const server = app.listen(0);
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server has no port');
  return `http://localhost:${address.port}`;
}

export interface Ask {
  readonly form?: Record<string, string>;
  readonly json?: unknown;
  readonly headers?: Record<string, string>;
  /** Default: POST with a form or JSON, else GET. */
  readonly method?: string;
}

/** What a script sees of an answer. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The text read as JSON. */
  json(): unknown;
}

/** Somebody with a cookie jar. Redirects are not followed. */
export class Visitor {
  readonly base: string;
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;
  /** Cookies as `name=value`, by name. */
  readonly jar = new Map<string, string>();

  constructor(base: string, headers: Record<string, string> = {}) {
    this.base = base;
    this.headers = headers;
  }

  async ask(path: string, { form, json, headers, method }: Ask = {}): Promise<Answer> {
    const body = form ? new URLSearchParams(form) : json === undefined ? null : JSON.stringify(json);
    const response = await fetch(this.base + path, {
      method: method ?? (body === null ? 'GET' : 'POST'),
      body,
      redirect: 'manual',
      headers: {
        ...(json === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(this.jar.size > 0 ? { Cookie: [...this.jar.values()].join('; ') } : {}),
        ...this.headers,
        ...headers,
      },
    });
    const text = await response.text();
    for (const cookie of response.headers.getSetCookie()) {
      const pair = cookie.split(';', 1).join();
      const name = pair.split('=', 1).join();
      if (/expires=Thu, 01 Jan 1970/i.test(cookie)) this.jar.delete(name);
      else this.jar.set(name, pair);
    }
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: (): unknown => JSON.parse(text),
    };
  }

  /** The session as the API tells it; counts a view. */
  async session(): Promise<unknown> {
    return (await this.ask('/api/session')).json();
  }

  login(username = 'alice', password = 'wonderland'): Promise<Answer> {
    return this.ask('/login', { form: { username, password } });
  }

  /** Another one with the same cookies, as a second tab or a thief has them. */
  copy(headers = this.headers): Visitor {
    const other = new Visitor(this.base, headers);
    for (const [name, pair] of this.jar) other.jar.set(name, pair);
    return other;
  }

  /** The id inside the signed cookie. */
  get sessionId(): string | undefined {
    const [pair] = this.jar.values();
    return pair && /=s%3A([^.]+)\./.exec(pair)?.[1];
  }
}

/** What browsers send when a person opens a page or sends a form. */
export const asBrowser = { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
