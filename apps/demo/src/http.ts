import type { Request, RequestHandler } from 'express';

/** An error whose message is meant for whoever asked. */
export function refusal(status: number, message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { status, expose: true });
}

/** Whoever sends JSON or asks for it gets JSON; browsers get pages. `dataFirst` is for those who do not say. */
export function wantsJson(req: Request, dataFirst = /^\/(api|debug|health)\b/.test(req.path)): boolean {
  const types = dataFirst ? ['json', 'html'] : ['html', 'json'];
  return Boolean(req.is('json')) || req.accepts(types) === 'json';
}

/** A text field of a form or a JSON body. */
export function field(req: Request, name: string, fallback?: string): string {
  const max = 100;
  const value = given(req, name) ?? fallback;
  if (value === undefined || (typeof value === 'string' && value.trim() === '')) {
    throw refusal(400, `${name} is missing.`);
  }
  if (typeof value === 'string' && value.length <= max) return value;
  const what = typeof value === 'string' ? `${value.length} characters` : `a value of type ${typeof value}`;
  throw refusal(400, `${name} has to be a text of up to ${max} characters, got ${what}.`);
}

/** A field of a form or a JSON body, as it came. */
export function given(req: Request, name: string): unknown {
  const body: unknown = req.body;
  return typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined;
}

/** A whole number, given as one or as text; `unit` is for the message. */
export function whole(
  name: string,
  value: unknown,
  { min, max, unit = '' }: { readonly min: number; readonly max: number; readonly unit?: string },
): number {
  const number = /^\d+$/.test(String(value)) ? Number(value) : Number.NaN;
  if (number >= min && number <= max) return number;
  const wanted = `a whole number${unit && ` of ${unit}`} from ${min} to ${max}`;
  throw refusal(400, `${name} has to be ${wanted}, got "${String(value).slice(0, 100)}".`);
}

/**
 * Refuses what another site makes a browser send. Browsers say where a request comes from, and no page can change what they
 * say, so forms need no tokens, and the login form is protected as well, when there is no session yet. Old browsers, and
 * today's on plain HTTP, send `Origin` only. Whoever sends neither is no browser, and nobody else's cookies are with it.
 */
export const refuseCrossSite: RequestHandler = (req, _res, next) => {
  if (['GET', 'HEAD', 'OPTIONS'].includes(req.method)) return next();
  const site = req.get('Sec-Fetch-Site');
  const origin = req.get('Origin');
  const own =
    site === undefined
      ? origin === undefined || hostOf(origin) === req.host
      : site === 'same-origin' || site === 'none';
  if (!own) throw refusal(403, 'This request came from another site.');
  next();
};

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
