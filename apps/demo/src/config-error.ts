/** A setting that the demo cannot start with; the message tells a person what to change. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
