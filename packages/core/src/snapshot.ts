import { Failure } from './errors.js';

/** A cookie's JSON form, as far as a store looks into it. */
interface CookieData {
  readonly originalMaxAge?: unknown;
  readonly expires?: unknown;
}

/** What a session held at one moment, as JSON. The parts can be compared on their own. */
export interface Snapshot {
  /** Everything but the cookie. */
  readonly data: string;
  /** The cookie's attributes but for its times. */
  readonly attributes: string;
  readonly originalMaxAge: unknown;
  readonly expires: unknown;
  /** The milliseconds left to `cookie.expires`; `undefined` for a cookie without one. */
  readonly timeLeft: number | undefined;
}

/** `Session.touch()` loses up to a few milliseconds of `originalMaxAge` each time; a change by a person is larger. */
const DRIFT_MS = 50;

/**
 * Takes a snapshot of what `JSON.stringify(session)` would write.
 *
 * @throws {Failure} `INVALID_SESSION` when the session is no object with a `cookie`, or `cookie.expires` no date.
 * @throws whatever `JSON.stringify` throws.
 */
export function takeSnapshot(session: unknown): Snapshot {
  const { cookie, ...data } = jsonObject(session, 'the session');
  const { originalMaxAge, expires, ...attributes } = jsonObject(cookie, '`cookie`');
  const date = dateOf(expires);
  return {
    data: JSON.stringify(data),
    attributes: JSON.stringify(attributes),
    originalMaxAge,
    expires: date?.toJSON() ?? expires,
    timeLeft: date && date.getTime() - Date.now(),
  };
}

/** The JSON text of the whole session, the cookie first. */
export function toJson({ data, attributes, originalMaxAge, expires }: Snapshot): string {
  const times = JSON.stringify({ originalMaxAge, expires } satisfies CookieData);
  return spliced([`{"cookie":${spliced([times, attributes])}}`, data]);
}

/** One object with the members of several, all as JSON text. */
function spliced(objects: readonly string[]): string {
  const members = objects.map((text) => text.slice(1, -1)).filter((text) => text !== '');
  return `{${members.join(',')}}`;
}

/** Whether one differs from the other by its cookie's `expires` at most, which moves with every request. */
export function sameState(before: Snapshot, now: Snapshot): boolean {
  return sameMaxAge(before, now) && before.attributes === now.attributes && before.data === now.data;
}

/** Whether the cookie's lifetime is the same as before, as far as a person set it. */
export function sameMaxAge(before: Snapshot, now: Snapshot): boolean {
  const [was, is] = [before.originalMaxAge ?? null, now.originalMaxAge ?? null];
  if (typeof was !== 'number' || typeof is !== 'number') return was === is;
  return is <= was && was - is <= DRIFT_MS;
}

/** The lifetime that the cookie asks for anew with each request, whatever is left of this one. */
export function fullLifetime({ originalMaxAge, timeLeft }: Snapshot): number | undefined {
  return typeof originalMaxAge === 'number' && !Number.isNaN(originalMaxAge) ? originalMaxAge : timeLeft;
}

function dateOf(expires: unknown): Date | undefined {
  if (expires === undefined || expires === null || expires === false) return undefined;
  const isDate = expires instanceof Date || typeof expires === 'string' || typeof expires === 'number';
  const date = new Date(isDate ? expires : Number.NaN);
  if (Number.isNaN(date.getTime())) throw new Failure('INVALID_SESSION', '`cookie.expires` must be a date');
  return date;
}

function jsonObject(value: unknown, what: string): Record<string, unknown> {
  const json = isObject(value) && typeof value['toJSON'] === 'function' ? value['toJSON']() : value;
  if (isObject(json)) return json;
  const given = json === null ? 'null' : Array.isArray(json) ? 'an array' : `a value of type ${typeof json}`;
  throw new Failure('INVALID_SESSION', `${what} must be an object, got ${given}`);
}

/** An object that is no array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
