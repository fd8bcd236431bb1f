import { Largest } from './explained.ts';
import type { Explained } from './explained.ts';
import type { HistoryVerdict, TurnReport } from './messages.ts';

/** What came of a trace. Sizes in bytes, times in microseconds. */
export interface Result {
  readonly trace: string;
  readonly sessions: number;
  readonly steps: number;
  /** What saving whole states would have sent: over all steps that were saved, the encoded state after each. */
  readonly fullBytes: number;
  /** Records of deltas, as appended. */
  readonly deltaBytes: number;
  readonly deltaMedian: number;
  readonly deltaP99: number;
  /** Sent to each backup, snapshots included. */
  readonly backupBytes: readonly number[];
  /** Opening, editing and saving. */
  readonly stepP50Us: number;
  readonly stepP99Us: number;
  /** Locks granted, beyond the first of each session. */
  readonly handovers: number;
  readonly engine: string;
  /** Every session holds the state that it must, everywhere, and the histories show no fault. */
  readonly ok: boolean;
  /** Records of snapshots, as appended: each session's first, and those that compact its log. */
  readonly snapshotBytes: number;
  /** Appended to the primary: deltas and snapshots. */
  readonly sentBytes: number;
  readonly saves: number;
  readonly seconds: number;
  /** Backups that were checked beside the primary. */
  readonly backups: number;
  readonly failures: readonly string[];
  /** Undefined: it was not asked for. */
  readonly explained: readonly Explained[] | undefined;
  /** Undefined: none was recorded. */
  readonly history: HistoryVerdict | undefined;
}

/** Sums up turns as they are reported. */
export class Tally {
  readonly #deltas = new Samples();
  readonly #times = new Samples();
  readonly #largest = new Largest();
  saves = 0;
  fullBytes = 0;
  deltaBytes = 0;
  snapshotBytes = 0;

  /** `isStep`: false for a turn that only begins a session. */
  add(report: TurnReport, isStep: boolean): void {
    if (report.kind === 'delta') {
      this.deltaBytes += report.recordBytes;
      this.#deltas.add(report.recordBytes);
    } else this.snapshotBytes += report.recordBytes;
    if (!isStep) return;
    this.saves += 1;
    this.fullBytes += report.fullBytes;
    this.#times.add(report.tookUs);
    if (report.explained !== undefined) this.#largest.add(report.explained);
  }

  get explained(): readonly Explained[] {
    return this.#largest.steps;
  }

  get figures(): Pick<Result, 'deltaMedian' | 'deltaP99' | 'stepP50Us' | 'stepP99Us'> {
    const deltas = this.#deltas.sorted();
    const times = this.#times.sorted();
    return {
      deltaMedian: quantile(deltas, 0.5),
      deltaP99: quantile(deltas, 0.99),
      stepP50Us: Math.round(quantile(times, 0.5)),
      stepP99Us: Math.round(quantile(times, 0.99)),
    };
  }
}

/** Numbers, eight bytes each. */
class Samples {
  #values = new Float64Array(1024);
  #count = 0;

  add(value: number): void {
    if (this.#count === this.#values.length) {
      const larger = new Float64Array(2 * this.#count);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#count] = value;
    this.#count += 1;
  }

  sorted(): Float64Array {
    return this.#values.slice(0, this.#count).sort();
  }
}

/** Nearest rank; 0 of nothing. */
export function quantile(sorted: Float64Array, q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
}
