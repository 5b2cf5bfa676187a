/** A server of our own, running, whatever it runs in. */
export interface Instance {
  readonly host: string;
  readonly port: number;
  pause(): Promise<void>;
  resume(): Promise<void>;
  kill(): Promise<void>;
  /** Starts it again on the same port and data. */
  start(): Promise<void>;
  /** Why it is not running; `undefined` while it runs or nothing is known. */
  fault(): string | undefined;
  /** Ends it for good and leaves nothing behind. */
  end(): Promise<void>;
}
