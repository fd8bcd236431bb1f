import type { Counts, Findings } from './finding.ts';
import type { Log } from './log.ts';
import type { DoneMark, HeadMark, KeptMark, Outcome, PutMark, SawMark, UseMark } from './mark.ts';

/** A session as the application knows it, in whatever store. */
interface Used {
  /** By store the longest list that was seen: by index, as far as it was shown. */
  readonly longest: Map<string, string[]>;
  /** Somebody asked for its deletion, or to move it to other ids. */
  deletedBy: number | undefined;
  readonly movedTo: string[];
  /** Older ids, which may lead to this one: what is asked of them is done to it. */
  readonly movedFrom: string[];
  /** It has ended for every use that begins after this wall clock. */
  goneBy: number | undefined;
  goneAt: number;
  /**
   * Counts restores, when they begin and end. `restoring`: those under way or of unknown outcome; `restoredBy`: the
   * latest mark.
   */
  restores: number;
  restoring: number;
  restoredBy: number;
  /** By store: the longest list that was acknowledged there. */
  readonly least: Map<string, { readonly length: number; readonly by: number }>;
}

interface Key {
  readonly id: string;
  readonly store: string;
  readonly putBy: number;
  outcome: Outcome | 'open';
  readonly putAt: number;
  /** The mark that told its outcome. */
  toldBy: number;
}

interface OpenUse {
  readonly index: number;
  readonly mark: UseMark;
  readonly least: { readonly length: number; readonly by: number } | undefined;
  readonly goneBy: number | undefined;
  readonly goneAt: number;
  readonly restores: number;
  readonly saws: { readonly index: number; readonly mark: SawMark }[];
  readonly keys: string[];
}

/** What the judge found at the end in one session of the store that counts in the end. */
export interface LastSeen {
  readonly store: string;
  readonly id: string;
  readonly head: HeadMark | undefined;
  readonly keys: readonly string[];
}

/** Judges what the application did and saw, by the keys that its uses appended to their sessions' lists. */
export class UsesCheck {
  readonly #findings: Findings;
  readonly #counts: Counts;
  /** Calls of a session's store, which tell whether it may have expired. */
  readonly #logOf: (store: string, id: string) => Log | undefined;
  readonly #used = new Map<string, Used>();
  readonly #keys = new Map<string, Key>();
  readonly #open = new Map<string, Map<number, OpenUse>>();

  constructor(findings: Findings, counts: Counts, logOf: (store: string, id: string) => Log | undefined) {
    this.#findings = findings;
    this.#counts = counts;
    this.#logOf = logOf;
  }

  began(mark: UseMark, index: number): void {
    this.#counts.uses += 1;
    const used = this.#usedOf(mark.id);
    if (mark.restores === true) {
      used.restoring += 1;
      restart(used, index);
    }
    if (mark.ends === 'delete') used.deletedBy = index;
    if (mark.ends === 'change' && mark.to !== undefined) {
      used.movedTo.push(mark.to);
      this.#usedOf(mark.to).movedFrom.push(mark.id);
    }
    const { goneBy, goneAt, restores } = used;
    let open = this.#open.get(mark.who);
    if (open === undefined) this.#open.set(mark.who, (open = new Map()));
    open.set(mark.use, {
      index,
      mark,
      least: used.least.get(mark.store),
      goneBy,
      goneAt,
      restores,
      saws: [],
      keys: [],
    });
  }

  saw(mark: SawMark, index: number): void {
    const use = this.#useOf(mark);
    if (use === undefined) return;
    use.saws.push({ index, mark });
    const used = this.#usedOf(use.mark.id);
    if (comparable(used, use)) this.#checkSeen(use, used, mark, index);
  }

  put(mark: PutMark, index: number): void {
    const use = this.#useOf(mark);
    if (use === undefined) return;
    const { id, store } = use.mark;
    use.keys.push(...mark.keys);
    for (const key of mark.keys) {
      if (!this.#keys.has(key))
        this.#keys.set(key, { id, store, putBy: index, putAt: mark.wall, outcome: 'open', toldBy: index });
    }
  }

  kept(mark: KeptMark, index: number): void {
    for (const name of mark.keys) this.#told(name, mark, index);
    const use = this.#useOf(mark);
    if (use !== undefined && mark.outcome === 'ok') this.#grown(use, mark.length, index);
  }

  done(mark: DoneMark, index: number): void {
    const use = this.#useOf(mark);
    if (use === undefined) return;
    this.#open.get(mark.who)?.delete(mark.use);
    for (const name of use.keys) if (this.#keys.get(name)?.outcome === 'open') this.#told(name, mark, index);
    const used = this.#usedOf(use.mark.id);
    if (use.mark.restores === true && mark.outcome !== 'unknown') used.restoring -= 1;
    if (mark.outcome !== 'ok') return;
    this.#grown(use, mark.length, index);
    for (const seen of use.saws)
      if (comparable(used, use)) this.#checkOrder(this.#usedOf(seen.mark.id ?? use.mark.id), use, seen);
    if (use.mark.restores === true) restart(used, index);
    if (use.mark.ends === undefined || used.goneBy !== undefined) return;
    used.goneBy = index;
    used.goneAt = use.mark.ends === 'change' ? mark.wall + (use.mark.graceMs ?? 0) : -Infinity;
  }

  judge(finals: readonly LastSeen[]): void {
    const judged = new Map(finals.map((last) => [last.id, last]));
    const holders = new Map<string, string>();
    for (const last of finals) this.#judgeList(last, holders);
    const gone = new Map<string, boolean>();
    for (const [name, key] of this.#keys) {
      const holder = holders.get(name);
      if (key.outcome === 'failed' && holder !== undefined) {
        this.#findings.say('failed and present', holder, `key ${name} is there, its save had failed`, [
          key.putBy,
          key.toldBy,
        ]);
      }
      if (key.outcome !== 'ok') continue;
      this.#counts.kept += 1;
      if (holder !== undefined || !judged.has(key.id) || this.#excused(key, judged, gone)) continue;
      this.#findings.say('acknowledged and missing', key.id, `key ${name} is not there at the end`, [
        key.putBy,
        key.toldBy,
      ]);
    }
  }

  #useOf({ who, use }: { readonly who: string; readonly use: number }): OpenUse | undefined {
    return this.#open.get(who)?.get(use);
  }

  #usedOf(id: string): Used {
    let used = this.#used.get(id);
    if (used === undefined) {
      used = {
        longest: new Map(),
        deletedBy: undefined,
        movedTo: [],
        movedFrom: [],
        goneBy: undefined,
        goneAt: -Infinity,
        restores: 0,
        restoring: 0,
        restoredBy: -1,
        least: new Map(),
      };
      this.#used.set(id, used);
    }
    return used;
  }

  #told(name: string, { outcome }: KeptMark | DoneMark, index: number): void {
    const key = this.#keys.get(name);
    if (key === undefined) return;
    key.outcome = outcome;
    key.toldBy = index;
  }

  #grown(use: OpenUse, length: number | undefined, by: number): void {
    const { mark } = use;
    const used = this.#usedOf(mark.id);
    const least = used.least.get(mark.store);
    if (length === undefined || !comparable(used, use) || length <= (least?.length ?? 0)) return;
    used.least.set(mark.store, { length, by });
  }

  /** Whether the session may have expired before `wall` and have begun again, or not. */
  #lapsed(store: string, id: string, wall: number): boolean {
    const log = this.#logOf(store, id);
    return log !== undefined && (log.lapsedAt > -Infinity || log.life.mayBeOver(log.life.earliest, wall));
  }

  #checkSeen(use: OpenUse, used: Used, mark: SawMark, index: number): void {
    const { id, store } = use.mark;
    const first = mark.keys?.[0];
    const by = `the use by ${mark.who}`;
    const firstBy = first === undefined ? Infinity : (this.#keys.get(first)?.putBy ?? -1);
    if (use.goneBy !== undefined && use.mark.wall > use.goneAt && firstBy < use.goneBy) {
      return this.#findings.say('resurrected session', id, `${by} saw key ${first} after the end`, [
        use.goneBy,
        use.index,
        index,
      ]);
    }
    const length = mark.keys === undefined ? 0 : (mark.from ?? 0) + mark.keys.length;
    const { least } = use;
    if (least === undefined || length >= least.length || mark.id !== undefined || this.#lapsed(store, id, mark.wall))
      return;
    if (length === 0 && this.#mayHaveEnded(id)) return;
    const detail = `${by} saw ${length} keys, ${least.length} had been acknowledged before it began`;
    this.#findings.say('stale read', id, detail, [least.by, use.index, index]);
  }

  /** All lists are beginnings of one. */
  #checkOrder(used: Used, use: OpenUse, { index, mark }: { readonly index: number; readonly mark: SawMark }): void {
    const { keys = [], from = 0 } = mark;
    const id = mark.id ?? use.mark.id;
    const { store } = use.mark;
    const longest = used.longest.get(store) ?? [];
    used.longest.set(store, longest);
    for (let i = 0; i < keys.length; i += 1) {
      const there = longest[from + i];
      const key = keys[i] as string;
      if (there === undefined) longest[from + i] = key;
      else if (there !== key) {
        if (this.#lapsed(use.mark.store, id, mark.wall) || used.goneBy !== undefined)
          return void used.longest.delete(store);
        const detail = `the use by ${mark.who} saw key ${key} at ${from + i}, where another saw ${there}`;
        return this.#findings.say('wrong order', id, detail, [use.index, index]);
      }
    }
  }

  #judgeList({ store, id, head, keys }: LastSeen, holders: Map<string, string>): void {
    const used = this.#used.get(id);
    if (head?.state === 'ended' && used !== undefined && !this.#mayHaveEnded(id)) {
      this.#findings.say('destroyed by nobody', id, 'it has ended at the end, and no use asked for it', []);
    }
    const own = new Set<string>();
    for (const key of keys) {
      const putBy = this.#keys.get(key)?.putBy;
      if (own.has(key)) this.#findings.say('doubled', id, `key ${key} is there twice at the end`, [putBy]);
      if (putBy === undefined)
        this.#findings.say('broken chain', id, `key ${key} is there at the end, and nobody put it`, []);
      own.add(key);
      holders.set(key, id);
    }
    const seen = used?.longest.get(store) ?? [];
    const at = seen.findIndex((key, i) => key !== undefined && keys[i] !== undefined && key !== keys[i]);
    if (at === -1 || used === undefined || used.goneBy !== undefined || this.#everLapsed(id)) return;
    this.#findings.say('wrong order', id, `key ${keys[at]} is at ${at} at the end, where a use saw ${seen[at]}`, []);
  }

  #everLapsed(id: string, judged?: LastSeen): boolean {
    const stores = [...(this.#used.get(id)?.least.keys() ?? []), ...(judged === undefined ? [] : [judged.store])];
    return stores.some((store) => this.#lapsed(store, id, -Infinity));
  }

  /**
   * Whether an acknowledged key may be missing: its session has been deleted, has expired, or was restored to an older
   * state.
   */
  #excused(
    { id, store, putAt, putBy }: Key,
    judged: ReadonlyMap<string, LastSeen>,
    gone: Map<string, boolean>,
  ): boolean {
    const used = this.#used.get(id);
    if (used !== undefined && (used.restoring > 0 || used.restoredBy > putBy)) return true;
    const stores = [store, judged.get(id)?.store ?? store];
    return (
      stores.some((each) => (this.#logOf(each, id)?.lapsedAt ?? -Infinity) >= putAt) || this.#isGone(id, judged, gone)
    );
  }

  /** The session under this id and the older ones that may lead to it. */
  #lineage(id: string, lineage: Set<string> = new Set()): ReadonlySet<string> {
    if (lineage.has(id)) return lineage;
    lineage.add(id);
    for (const from of this.#used.get(id)?.movedFrom ?? []) this.#lineage(from, lineage);
    return lineage;
  }

  /** Whether somebody asked for its deletion, under this id or an older one. */
  #mayBeDeleted(id: string): boolean {
    return [...this.#lineage(id)].some((name) => this.#used.get(name)?.deletedBy !== undefined);
  }

  /** Where it may have been moved to, under this id or an older one. */
  #targets(id: string): readonly string[] {
    return [...this.#lineage(id)].flatMap((name) => this.#used.get(name)?.movedTo ?? []).filter((to) => to !== id);
  }

  #mayHaveEnded(id: string): boolean {
    return this.#mayBeDeleted(id) || this.#targets(id).length > 0;
  }

  /** Whether a session was ended on purpose, or what it was moved to. */
  #isGone(id: string, judged: ReadonlyMap<string, LastSeen>, gone: Map<string, boolean>): boolean {
    const told = gone.get(id);
    if (told !== undefined) return told;
    gone.set(id, false);
    const head = judged.get(id)?.head;
    const deleted = this.#mayBeDeleted(id) && (head === undefined || head.state !== 'live');
    const isGone =
      deleted ||
      this.#targets(id).some(
        (to) => !judged.has(to) || this.#everLapsed(to, judged.get(to)) || this.#isGone(to, judged, gone),
      );
    gone.set(id, isGone);
    return isGone;
  }
}

/** No restore came between. */
const comparable = (used: Used, use: OpenUse): boolean => used.restoring === 0 && used.restores === use.restores;

/** What was acknowledged before may be taken back, and nothing that overlaps can be compared. */
function restart(used: Used, index: number): void {
  used.restores += 1;
  used.restoredBy = index;
  used.longest.clear();
  used.least.clear();
  used.goneBy = undefined;
}
