// A process that took no part: opens the stores and compares what they hold with what they are to hold.
import { shortId } from '../errors.ts';
import type { Final } from '../history/check.ts';
import { judge, readFinal } from '../history/judge.ts';
import { SessionRepository } from '../session/repository.ts';
import type { Store } from '../store/store.ts';
import type { ExpectedSession, FromVerifier, HistoryVerdict, PlacedImage, ToVerifier } from './messages.ts';
import { definitionOf, nameOfPlace, openStores } from './places.ts';
import { describe, serve } from './serve.ts';
import { fingerprint } from './trace.ts';
import type { State } from './trace.ts';

type Begin = Extract<ToVerifier, { kind: 'begin' }>;

class Verifier {
  readonly #stores: Store[];
  readonly #repositories: SessionRepository<State>[];
  readonly #binary: ReadonlySet<string>;
  readonly #finals: Final[] = [];
  #checked = 0;

  static async open(setup: Begin): Promise<Verifier> {
    return new Verifier(setup, await openStores(setup.places));
  }

  private constructor({ binary, engine }: Begin, stores: Store[]) {
    this.#stores = stores;
    this.#repositories = stores.map(
      (store) => new SessionRepository({ store, definition: definitionOf({ classes: {} }), ...(engine && { engine }) }),
    );
    this.#binary = new Set(binary);
  }

  /** Takes over a session that lives in another process's memory. */
  async copy({ place, id, image }: PlacedImage): Promise<void> {
    await (this.#stores[place] as Store).replace(id, image, undefined);
  }

  /** What differs, one line for each session and place. */
  async check(sessions: readonly ExpectedSession[]): Promise<string[]> {
    this.#checked += sessions.length;
    const failures: string[] = [];
    for (const session of sessions) {
      for (const place of this.#repositories.keys()) {
        const failure = await this.#failure(place, session);
        if (failure !== undefined) failures.push(`session '${session.sid}', ${nameOfPlace(place)}: ${failure}`);
        await this.#note(place, session.id);
      }
    }
    return failures;
  }

  async #failure(place: number, { id, sha256 }: ExpectedSession): Promise<string | undefined> {
    try {
      const state = await (this.#repositories[place] as SessionRepository<State>).read(id);
      if (state === undefined) return 'the session is missing';
      const found = fingerprint(state, this.#binary);
      return found === sha256 ? undefined : `sha256 is ${found}, expected ${sha256}`;
    } catch (error) {
      return describe(error);
    }
  }

  async #note(place: number, id: string): Promise<void> {
    // damage has been told of
    const final = await readFinal(this.#stores[place] as Store, nameOfPlace(place), id).catch(() => undefined);
    if (final !== undefined) this.#finals.push(final);
  }

  /** Judges what the workers have written down, when they have ended, against what was checked. */
  judge(folder: string): HistoryVerdict {
    const { counts, findings } = judge(folder, this.#finals);
    const { acknowledged, unknown } = counts;
    return {
      acknowledged,
      unknown,
      findings: findings.map(({ kind, id, detail }) => `${kind}: session '${shortId(id)}': ${detail}`),
    };
  }

  /** Sessions that nobody asked for. */
  async surplus(): Promise<string[]> {
    const failures: string[] = [];
    for (const [place, repository] of this.#repositories.entries()) {
      let count = 0;
      for await (const _ of repository.ids()) count += 1;
      if (count > this.#checked) failures.push(`${nameOfPlace(place)}: ${count} sessions, expected ${this.#checked}`);
    }
    return failures;
  }

  async close(): Promise<void> {
    for (const repository of this.#repositories) await repository.close();
    for (const store of this.#stores) await store.close();
  }
}

let verifier: Verifier | undefined;

serve<ToVerifier, FromVerifier>(async (message, reply) => {
  if (message.kind === 'begin') {
    verifier = await Verifier.open(message);
    reply({ kind: 'ready' });
  } else if (verifier === undefined) throw new Error('work came before the set-up');
  else if (message.kind === 'log') {
    for (const log of message.logs) await verifier.copy(log);
    reply({ kind: 'copied' });
  } else if (message.kind === 'check') reply({ kind: 'checked', failures: await verifier.check(message.sessions) });
  else if (message.kind === 'judge') reply({ kind: 'judged', history: verifier.judge(message.folder) });
  else {
    const failures = await verifier.surplus();
    await verifier.close();
    reply({ kind: 'checked', failures });
  }
});
