/** So long may one wait for others: a screen draws no more often. */
const EVERY_MS = 16;

/**
 * Takes at once what comes together: a thousand frames in one breath change the page once, not a thousand times.
 *
 * The timers of a page that nobody sees run once a second, or once a minute: there each is taken as it comes, since it
 * may be an offer that has to ring.
 */
export class Gathering<T> {
  private waiting: T[] = [];
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly take: (all: readonly T[]) => void,
    private readonly isSeen: () => boolean,
  ) {}

  add(one: T): void {
    this.waiting.push(one);
    if (!this.isSeen()) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), EVERY_MS);
  }

  /** Take now what waits. */
  flush(): void {
    const all = this.waiting;
    this.drop();
    if (all.length > 0) this.take(all);
  }

  /** Forget what waits. */
  drop(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.waiting = [];
  }
}
