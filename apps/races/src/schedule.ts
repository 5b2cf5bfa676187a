import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';

/** One stage after another: the next one begins when all requests of a stage are held again or done. `wait`: until an expiry. */
export type Schedule = readonly (Stage | 'wait')[];

/** Who goes how many steps, all at once. */
export type Stage = readonly { readonly who: number; readonly steps: number }[];

/** The same choices for the same seed. */
export class Choices {
  readonly #generator: RandomGenerator;

  constructor(seed: number) {
    this.#generator = xoroshiro128plus(seed);
  }

  /** A whole number, both ends included. */
  between(least: number, most: number): number {
    return uniformInt(this.#generator, least, most);
  }

  coin(): boolean {
    return this.between(0, 1) === 1;
  }

  shuffled<T>(items: readonly T[]): T[] {
    const rest = [...items];
    return items.flatMap(() => rest.splice(this.between(0, rest.length - 1), 1));
  }

  of<T>(items: readonly T[]): T {
    const item = items[this.between(0, items.length - 1)];
    if (item === undefined) throw new RangeError('there is nothing to choose from');
    return item;
  }
}

/** Draws one of the ways in which requests of these lengths can meet: some two of them are under way at one time. */
export function draw(choices: Choices, lengths: readonly number[]): Stage[] {
  for (;;) {
    const left = [...lengths];
    const schedule: Stage[] = [];
    let met = lengths.length < 2;
    for (let waiting = unfinished(left); waiting.length > 0; waiting = unfinished(left)) {
      const chosen = choices.coin() ? [choices.of(waiting)] : waiting.filter(() => choices.coin());
      const stage = chosen.map((who) => ({ who, steps: choices.between(1, left[who] ?? 1) }));
      const begun = waiting.filter((who) => left[who] !== lengths[who]);
      met ||= new Set([...begun, ...chosen]).size > 1;
      for (const { who, steps } of stage) left[who] = (left[who] ?? 0) - steps;
      if (stage.length > 0) schedule.push(stage);
    }
    if (met) return schedule;
  }
}

function unfinished(left: readonly number[]): number[] {
  return left.flatMap((steps, who) => (steps > 0 ? [who] : []));
}
