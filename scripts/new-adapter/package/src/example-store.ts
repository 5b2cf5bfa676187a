import { checkOptions, invalidOption, rule, SessionStore, type StoreOptions } from '@session-stores/core';
import { ExampleBackend } from './example-backend.js';

export interface ExampleStoreOptions extends StoreOptions {
  /** Where the sessions are. */
  url?: string | undefined;
  /** What the keys of sessions begin with. Default `sess:`. */
  prefix?: string | undefined;
}

const about = { name: 'ExampleStore', backend: 'example' };

/** Sessions in Example. */
export class ExampleStore extends SessionStore {
  /** @throws {StoreError} `INVALID_OPTION` */
  constructor(options: ExampleStoreOptions) {
    checkOptions(about, options, { url: rule.nonEmptyString, prefix: rule.string });
    const { url, prefix = 'sess:' } = options;
    if (url === undefined) throw invalidOption(about, 'give a `url`');
    super(new ExampleBackend(url, prefix), options);
  }
}
