import { isObject, type Snapshot, sameMaxAge } from './snapshot.js';

/** Redoes on `theirs` what turned `base` into `mine`. The cookie's times are one value. */
export function mergeSnapshots(base: Snapshot, mine: Snapshot, theirs: Snapshot): Snapshot {
  const { originalMaxAge, expires, timeLeft } =
    sameMaxAge(base, mine) && !sameMaxAge(base, theirs) ? theirs : mine;
  return {
    data: mergeTexts(base.data, mine.data, theirs.data),
    attributes: mergeTexts(base.attributes, mine.attributes, theirs.attributes),
    originalMaxAge,
    expires,
    timeLeft,
  };
}

/** `merge` of the JSON texts of three objects. */
function mergeTexts(base: string, mine: string, theirs: string): string {
  if (mine === base) return theirs;
  if (theirs === base) return mine;
  return JSON.stringify(merge(JSON.parse(base), JSON.parse(mine), JSON.parse(theirs)));
}

/**
 * Redoes on `theirs` what turned `base` into `mine`; all three are JSON values, `undefined` where there is none.
 *
 * Plain objects are merged key by key, and to delete a key is a change. Of arrays, what was removed and what was appended is
 * redone. Anything else is one value; where both sides have changed it, mine stands.
 */
export function merge(base: unknown, mine: unknown, theirs: unknown): unknown {
  if (same(mine, base)) return theirs;
  if (same(theirs, base)) return mine;
  if (isObject(mine) && isObject(theirs)) return mergeObjects(isObject(base) ? base : {}, mine, theirs);

  if (Array.isArray(base)) {
    // Who deletes a list removes what is in it: a message that another one has appended meanwhile is still to be shown.
    const [my = [], their = []] = [mine, theirs];
    if (!Array.isArray(my) || !Array.isArray(their)) return mine;
    const merged = mergeArrays(base, my, their);
    return merged.length === 0 && (mine === undefined || theirs === undefined) ? undefined : merged;
  }
  return Array.isArray(mine) && Array.isArray(theirs) ? mergeArrays([], mine, theirs) : mine;
}

function mergeObjects(
  base: Record<string, unknown>,
  mine: Record<string, unknown>,
  theirs: Record<string, unknown>,
): Record<string, unknown> {
  const keys = new Set([...Object.keys(theirs), ...Object.keys(mine)]);
  const members = [...keys].map((key) => [key, merge(own(base, key), own(mine, key), own(theirs, key))]);
  // Not by assignment: `__proto__` is a key like any other.
  return Object.fromEntries(members.filter(([, value]) => value !== undefined));
}

function mergeArrays(
  base: readonly unknown[],
  mine: readonly unknown[],
  theirs: readonly unknown[],
): unknown[] {
  const texts = mine.map((each) => JSON.stringify(each));
  const removed = new Map<string, number>();
  let kept = 0;
  for (const text of base.map((each) => JSON.stringify(each))) {
    if (text === texts[kept]) kept += 1;
    else removed.set(text, (removed.get(text) ?? 0) + 1);
  }
  // Moved, or behind something that was put before it: neither removed nor appended.
  if (texts.slice(kept).some((text) => removed.has(text))) return [...mine];

  const left = theirs.filter((each) => {
    const text = JSON.stringify(each);
    const times = removed.get(text) ?? 0;
    removed.set(text, times - 1);
    return times < 1;
  });
  return [...left, ...mine.slice(kept)];
}

function own(object: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
