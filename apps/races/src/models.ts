import type { Model } from './history.js';

/** Plain calls on a store. A session is one value here, `null` without one. */
export type PlainCall =
  | { readonly do: 'set'; readonly value: string }
  | { readonly do: 'destroy' }
  | { readonly do: 'get'; readonly saw: string | null };

/** What plain calls mean: a session is what was set last, until it is destroyed. */
export const plainSession: Model<string | null, PlainCall> = {
  initial: null,
  step(value, call) {
    if (call.do === 'set') return call.value;
    if (call.do === 'destroy') return null;
    return call.saw === value ? value : undefined;
  },
  key: (value) => JSON.stringify(value),
};

/** What requests do with a session that holds a cart. Each item is added once. */
export type CartCall =
  | { readonly do: 'begin' }
  | { readonly do: 'change'; readonly add?: string; readonly remove?: string }
  | { readonly do: 'destroy' }
  | { readonly do: 'look'; readonly saw: readonly string[] | null };

/**
 * What saves mean that lose nothing: each adds to the session as it is then, whatever the request had loaded, and removes from it.
 * Once destroyed it is no more: the late save of a request changes nothing.
 */
export const cartSession: Model<ReadonlySet<string> | null, CartCall> = {
  initial: null,
  step(cart, call) {
    if (call.do === 'begin') return new Set();
    if (call.do === 'destroy') return null;
    if (call.do === 'look') return key(cart) === key(call.saw && new Set(call.saw)) ? cart : undefined;
    if (cart === null) return null;
    const { add, remove } = call;
    return new Set([...cart, ...(add === undefined ? [] : [add])].filter((item) => item !== remove));
  },
  key,
};

function key(cart: ReadonlySet<string> | null): string {
  return JSON.stringify(cart && [...cart].sort());
}
