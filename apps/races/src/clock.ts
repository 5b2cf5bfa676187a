/** Sets this process's clock ahead, as that of a host that nobody keeps in time. */
export function setClockAhead(ms: number): void {
  globalThis.Date = new Proxy(Date, {
    construct: (real, args, target) =>
      Reflect.construct(real, args.length === 0 ? [real.now() + ms] : args, target),
    get: (real, key) => (key === 'now' ? () => real.now() + ms : Reflect.get(real, key)),
  });
}
