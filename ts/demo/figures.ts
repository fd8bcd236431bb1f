import { quantile } from '../cli/result.ts';

/** What the users have seen so far. */
export class Figures {
  readonly #latencies: number[] = [];
  readonly #begun = performance.now();
  readonly #lastSecond: { at: number; requests: number }[] = [];
  /** Users whose session the killed server had changed last, and that was not changed since. */
  readonly #stranded = new Set<string>();
  #killedAt = 0;
  #primaryKilledAt = 0;
  requests = 0;
  retries = 0;
  sentBytes = 0;
  wholeBytes = 0;
  /**
   * From the kill until the first, and until the last of the sessions whose lock the killed server had was changed by
   * another.
   */
  takeOver: { sessions: number; firstMs: number | undefined; allMs: number | undefined } | undefined;

  /** How long the primary was away, and from its return until a change was saved again. */
  outage: { awayMs: number | undefined; firstMs: number | undefined } | undefined;

  served(latencyMs: number): void {
    this.requests += 1;
    this.#latencies.push(latencyMs);
  }

  saved(user: string, sentBytes: number, wholeBytes: number): void {
    this.sentBytes += sentBytes;
    this.wholeBytes += wholeBytes;
    if (this.outage?.awayMs !== undefined)
      this.outage.firstMs ??= performance.now() - this.#primaryKilledAt - this.outage.awayMs;
    if (this.takeOver === undefined || !this.#stranded.delete(user)) return;
    const sinceMs = performance.now() - this.#killedAt;
    this.takeOver.firstMs ??= sinceMs;
    if (this.#stranded.size === 0) this.takeOver.allMs = sinceMs;
  }

  killed(users: readonly string[]): void {
    this.#killedAt = performance.now();
    for (const user of users) this.#stranded.add(user);
    this.takeOver = { sessions: users.length, firstMs: undefined, allMs: undefined };
  }

  primaryKilled(): void {
    this.#primaryKilledAt = performance.now();
    this.outage = { awayMs: undefined, firstMs: undefined };
  }

  primaryBack(): void {
    if (this.outage !== undefined) this.outage.awayMs = performance.now() - this.#primaryKilledAt;
  }

  get seconds(): number {
    return (performance.now() - this.#begun) / 1000;
  }

  /** Requests per second over the last second, if asked at least that often. */
  pace(): number {
    const now = performance.now();
    this.#lastSecond.push({ at: now, requests: this.requests });
    while (this.#lastSecond.length > 1 && (this.#lastSecond[1] as { at: number }).at <= now - 1000)
      this.#lastSecond.shift();
    const oldest = this.#lastSecond[0] as { at: number; requests: number };
    return now === oldest.at ? 0 : (1000 * (this.requests - oldest.requests)) / (now - oldest.at);
  }

  get latencyMs(): { p50: number; p99: number } {
    const sorted = Float64Array.from(this.#latencies).sort();
    return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
  }
}
