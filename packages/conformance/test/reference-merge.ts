/** A session as JSON carries it. */
export interface Saved {
  cookie: { originalMaxAge: number | null; expires: string | null; [setting: string]: unknown };
  [key: string]: unknown;
}

export type Plain = Record<string, unknown>;

/** Express-session loses a millisecond of it now and then. */
const DRIFT_MS = 50;

/** Three-way: `theirs` with what has changed from `base` to `mine`. Where a value is `undefined`, there is none. */
export class Merge {
  sessions(base: Saved, mine: Saved, theirs: Saved): Saved {
    const isAged = !sameMaxAge(base, mine);
    const { originalMaxAge, expires } = (isAged ? mine : theirs).cookie;
    const renewed = originalMaxAge === null ? null : new Date(Date.now() + originalMaxAge).toJSON();
    return {
      ...this.plain(dataOf(base), dataOf(mine), dataOf(theirs)),
      cookie: {
        ...this.plain(settingsOf(base), settingsOf(mine), settingsOf(theirs)),
        originalMaxAge,
        expires: isAged ? expires : renewed,
      },
    };
  }

  plain(base: Plain, mine: Plain, theirs: Plain): Plain {
    const own = (of: Plain, key: string) => (Object.hasOwn(of, key) ? of[key] : undefined);
    const keys = new Set([...Object.keys(theirs), ...Object.keys(mine)]);
    return Object.fromEntries(
      [...keys]
        .map((key) => [key, this.value(own(base, key), own(mine, key), own(theirs, key))] as const)
        .filter(([, value]) => value !== undefined),
    );
  }

  value(base: unknown, mine: unknown, theirs: unknown): unknown {
    if (same(base, mine)) return theirs;
    if (same(base, theirs)) return mine;
    if (isPlain(mine) && isPlain(theirs)) return this.plain(isPlain(base) ? base : {}, mine, theirs);
    const [before, my, their] = [base, mine, theirs].map((value) => (value === undefined ? [] : value));
    if (!Array.isArray(before) || !Array.isArray(my) || !Array.isArray(their))
      return this.conflict(mine, theirs);
    const list = this.list(before, my, their);
    return list.length === 0 && (mine === undefined || theirs === undefined) ? undefined : list;
  }

  /** Removes from `theirs` what I have removed from `base`, and appends what I have appended. */
  list(base: readonly unknown[], mine: readonly unknown[], theirs: readonly unknown[]): readonly unknown[] {
    const kept = new Set<number>();
    let [at, next] = [0, 0];
    for (; at < mine.length; at += 1) {
      const found = base.findIndex((value, index) => index >= next && same(value, mine[at]));
      if (found < 0) break;
      kept.add(found);
      next = found + 1;
    }
    const result = [...theirs];
    for (const removed of base.filter((_, index) => !kept.has(index))) {
      const index = result.findIndex((value) => same(value, removed));
      if (index >= 0) result.splice(index, 1);
    }
    return [...result, ...mine.slice(at)];
  }

  conflict(mine: unknown, _theirs: unknown): unknown {
    return mine;
  }
}

export function sameSession(base: Saved, mine: Saved): boolean {
  return (
    sameMaxAge(base, mine) && same(dataOf(base), dataOf(mine)) && same(settingsOf(base), settingsOf(mine))
  );
}

export function isPlain(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const dataOf = ({ cookie: _, ...data }: Saved): Plain => data;
const settingsOf = ({ cookie: { originalMaxAge: _, expires: __, ...settings } }: Saved): Plain => settings;

function sameMaxAge(
  { cookie: { originalMaxAge: a } }: Saved,
  { cookie: { originalMaxAge: b } }: Saved,
): boolean {
  return a === b || (a !== null && b !== null && Math.abs(a - b) < DRIFT_MS);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
