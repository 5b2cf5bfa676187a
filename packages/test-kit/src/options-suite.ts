import { expect, test } from 'vitest';

/** What is given, in words; the options, which TypeScript would not let through; and a part of the answer. */
export type RefusedOptions = readonly [what: string, options: unknown, sentence: string];

/** That a store refuses options with a sentence that says what is wanted. */
export function testOptions(
  Store: new (options: never) => unknown,
  refused: readonly RefusedOptions[],
): void {
  test.each(refused)('%s is refused with a sentence', (_, options, sentence) => {
    const construct = () => Reflect.construct(Store, [options]);
    expect(construct).toThrow(sentence);
    expect(construct).toThrow(expect.objectContaining({ code: 'INVALID_OPTION', operation: 'construct' }));
    expect(construct).not.toThrow('hunter2');
  });
}
