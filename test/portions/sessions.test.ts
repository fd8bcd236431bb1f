import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../ts/clock.ts';
import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { HoldfastError } from '../../ts/errors.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import type { Saved } from '../../ts/session/saved.ts';
import type { Session } from '../../ts/session/session.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { plain } from '../../ts/tracking/tracker.ts';
import { changed } from '../graph/changed.ts';
import { through } from '../store/through.ts';
import type { Loose } from '../tracking/fixture.ts';
import { heldLine, nextLine, run, seeded, valueText, type Random } from './programs.ts';

const PROGRAMS = Math.ceil(Number(process.env['HOLDFAST_PROGRAMS'] ?? 2_500) / 25);
const FEWER = Math.ceil(PROGRAMS / 3);
const definition = defineSession({ a: mutable<Loose>(() => ({})), b: mutable<Loose>(() => ({})) });
const withFrozen = defineSession({
  a: mutable<Loose>(() => ({})),
  b: mutable<Loose>(() => ({}), { frozen: ['deep.er', 'list'] }),
});
const PAD = 'pad '.repeat(200);

type Fault = 'none' | 'unknown' | undefined;
interface State {
  a: Loose;
  b: Loose;
}

/** What a save gave, and the state before and after. */
interface Told {
  readonly id: string;
  readonly saved: Saved;
  readonly before: string | undefined;
  readonly after: string;
}

/** Several sessions of one repository under a program of uses, on a store that fails now and then. */
class Program {
  readonly lines: string[] = [];
  readonly #random: Random;
  /** By id, as saved last: the encoding of each attribute. */
  readonly #saved = new Map<string, string>();
  readonly #told: Told[] = [];
  readonly #held: Loose = {};
  readonly #sessions: SessionRepository<State>;
  /** Saves of which nobody knows yet what became of them. */
  #open = 0;
  /** The next save waits before it looks at the state. */
  #waits = false;
  #fault: Fault;

  /** By session, values that `b.deep.er` and `b.list` had. */
  readonly frozen = new Set<string>();
  /** Every record that was appended. */
  readonly appended: string[] = [];
  readonly #explains: boolean;
  readonly #faults: number;
  readonly #keeps: boolean;

  /** `faults`: of what the store does, how much; 3: nothing that takes time. `explains`: each save, before it. */
  constructor(
    seed: number,
    { faults = 5, explains = false, frozen = false }: { faults?: 3 | 5; explains?: boolean; frozen?: boolean } = {},
  ) {
    this.#random = seeded(seed);
    this.#faults = faults;
    this.#explains = explains;
    this.#keeps = frozen;
    let drawn = 0;
    const store = through(new MemoryStore(), {
      append: async (call, _id, { bytes }) => {
        const text = Buffer.from(bytes).toString('latin1');
        if (this.appended.at(-1) !== text) this.appended.push(text); // not offered again
        const fault = this.#fault;
        this.#fault = undefined;
        if (fault === 'none') throw new HoldfastError('ERR_UNAVAILABLE', 'cut', { outcome: 'none' });
        const answer = await call();
        if (fault === 'unknown') throw new HoldfastError('ERR_UNAVAILABLE', 'cut', { outcome: 'unknown' });
        return answer;
      },
    });
    this.#sessions = new SessionRepository({
      store,
      definition: frozen ? withFrozen : definition,
      storeTimeoutMs: 15,
      clock: { ...systemClock, now: () => 1_800_000_000_000 },
      entropy: { fill: (bytes) => void bytes.fill((drawn = (drawn + 1) % 251)) },
    });
    this.#sessions.observe(({ type }) => void (this.#open += type === 'unsettled' ? 1 : type === 'settled' ? -1 : 0));
  }

  async run(): Promise<void> {
    for (const id of ['s0', 's1']) {
      const value = (): Loose =>
        Function(
          `return { list: [${valueText(this.#random)}], pad: ${JSON.stringify(PAD)}, deep: { er: ${valueText(this.#random)} } }`,
        )();
      const session = await this.#sessions.create({ a: value(), b: value() }, { id });
      await this.#save(session);
      await session.close();
    }
    for (let use = 0; use < 8; use += 1) await this.#use();
    for (const [id, saved] of this.#saved) expect(encoded(await this.#sessions.read(id)), id).toBe(saved);
    for (const one of this.#told) this.#check(one);
    await this.#sessions.close();
  }

  /** What was saved after it has not changed what it tells. */
  #check({ id, saved, before, after }: Told): void {
    const { b } = decoded(after);
    // What is undefined has no value yet.
    if (this.#keeps && (b['deep'] as Loose)['er'] !== undefined)
      this.frozen.add(
        id.slice(0, 2) +
          Buffer.from(msgpackCodec.encode([(b['deep'] as Loose)['er'], b['list']], 'x')).toString('latin1'),
      );
    const told = saved.changes();
    this.lines.push(`revision ${saved.revision}: ${inspect(told, { depth: 5 })}`);
    expect(encoded(changed(before === undefined ? {} : decoded(before), told)), 'as told').toBe(after);
    for (const { path } of told) expect(['a', 'b']).toContain(path[0]);
    this.lines.pop();
  }

  async #use(): Promise<void> {
    const ids = [...this.#saved.keys()];
    const id = ids[this.#random(ids.length)]!;
    this.lines.push(`open ${id}`);
    const session = await this.#sessions.open(id);
    this.#waits = false;
    expect(encoded(session.state), `${id} as opened`).toBe(this.#saved.get(id));
    for (let step = this.#random(8); step > 0; step -= 1) {
      if (!(await this.#step(session))) break;
    }
    if (this.#random(3) > 0 && !session.closed) await this.#save(session, true);
    await session.close();
  }

  /** False: it can go on no more. */
  async #step(session: Session<State>): Promise<boolean> {
    const choice = this.#random(10);
    if (choice === 0) return this.#save(session);
    if (choice === 1) return this.#saveAndWrite(session);
    if (choice === 2 && this.#random(3) === 0) return this.#move(session);
    this.#write(session.state);
    return true;
  }

  #write(state: State): void {
    const name = this.#random(3) === 0 ? 'b' : 'a';
    const seen = { value: plain(state[name]), held: this.#held };
    const line =
      this.#random(6) === 0 ? heldLine(this.#random) : nextLine(seen, this.#random).replaceAll('s.a', `s.${name}`);
    this.lines.push(line);
    try {
      run(line, state, this.#held);
    } catch {
      // It was refused, or met what an earlier part of the line has removed.
    }
  }

  /** What is written while the save is under way is for the next one. */
  async #saveAndWrite(session: Session<State>): Promise<boolean> {
    if (this.#waits) return this.#save(session);
    const saving = this.#save(session, false, false);
    this.#write(session.state);
    return (await saving) && this.#save(session);
  }

  async #move(session: Session<State>): Promise<boolean> {
    const to = `${session.id}+`;
    if (!(await this.#save(session))) return false;
    const saved = this.#saved.get(session.id)!;
    const from = session.id;
    this.lines.push(`changeId ${to}`);
    await session.changeId(to);
    this.#saved.delete(from);
    this.#saved.set(to, saved);
    return true;
  }

  /** What became of a save that was to make the session `expected`. */
  async #learn(id: string, expected: string): Promise<void> {
    while (this.#open > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    const found = encoded(await this.#sessions.read(id));
    expect([this.#saved.get(id), expected], `${id} as found`).toContain(found);
    this.#saved.set(id, found);
    this.#waits = true;
  }

  async #save(session: Session<State>, last = false, explains = this.#explains): Promise<boolean> {
    const { id } = session;
    this.#fault = ([undefined, undefined, undefined, 'none', 'unknown'] as const)[this.#random(this.#faults)];
    this.lines.push(`save ${id}, ${this.#fault ?? 'well'}`);
    let expected: string | undefined;
    let saved: Saved;
    const before = this.#saved.get(id);
    try {
      expected = encoded(session.state);
    } catch {
      this.#fault = undefined;
    }
    if (explains) await session.explain().catch(() => undefined); // of what cannot be kept
    try {
      saved = await (last ? session.saveAndClose() : session.save());
    } catch (error) {
      const { code, outcome, message } = error as HoldfastError;
      // A copy has lost what a Map has by the side.
      if (code === 'ERR_INVALID' && (expected === undefined || message.includes('own properties'))) return false;
      if (code !== 'ERR_UNAVAILABLE') throw error;
      if (outcome === 'unknown') await this.#learn(id, expected!);
      return outcome === 'none' && !last ? this.#save(session) : !last;
    } finally {
      this.#fault = undefined;
    }
    this.#told.push({ id, saved, before, after: expected! });
    this.#saved.set(id, expected!);
    this.#waits = false;
    expect(encoded(await this.#sessions.read(id)), `${id} as saved`).toBe(expected);
    return true;
  }
}

const encoded = (state: unknown): string => {
  const { a, b } = state as State;
  return Buffer.from(msgpackCodec.encode([plain(a), plain(b)], 'x')).toString('latin1');
};

function decoded(state: string): State {
  const [a, b] = msgpackCodec.decode(Buffer.from(state, 'latin1')) as [Loose, Loose];
  return { a, b };
}

describe('what a session holds', () => {
  it('is what is read back after each save, for random programs of uses', { timeout: 500 * PROGRAMS }, async () => {
    for (let seed = 1; seed <= PROGRAMS; seed += 1) {
      const program = new Program(seed);
      try {
        await program.run();
      } catch (error) {
        throw new Error(`seed ${seed}\n${program.lines.join(';\n')}\n${String(error).slice(0, 300)}`, { cause: error });
      }
    }
  });

  it('keeps what is frozen, whatever is done with the rest', { timeout: 500 * FEWER }, async () => {
    let seen = 0;
    for (let seed = 1; seed <= FEWER; seed += 1) {
      const program = new Program(seed, { frozen: true });
      try {
        await program.run();
        expect(new Set([...program.frozen].map((one) => one.slice(0, 2))).size).toBe(program.frozen.size);
        seen += program.frozen.size;
      } catch (error) {
        throw new Error(`seed ${seed}\n${program.lines.join(';\n')}\n${String(error).slice(0, 300)}`, { cause: error });
      }
    }
    expect(seen).toBeGreaterThan(FEWER);
  });

  it('goes out in the same bytes where each save is explained before', { timeout: 500 * FEWER }, async () => {
    for (let seed = 1; seed <= FEWER; seed += 1) {
      const [one, other] = [new Program(seed, { faults: 3 }), new Program(seed, { faults: 3, explains: true })];
      await one.run();
      await other.run();
      expect(one.appended.length).toBeGreaterThan(2);
      expect(other.appended, `seed ${seed}`).toEqual(one.appended);
    }
  });
});
