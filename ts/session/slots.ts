import type { Codec } from '../codec/codec.ts';
import type { Differ } from '../diff/differ.ts';
import type { Image } from '../log/image.ts';
import { Portions, UNKEPT } from '../portions/portions.ts';
import { letGo } from '../sync/base.ts';
import type { Tracked } from '../sync/compare.ts';
import type { Owner } from '../tracking/attribute-terms.ts';
import type { AttributeSlots } from '../tracking/tracker.ts';
import type { SessionContext } from './context.ts';
import { decoded, defaultOf, isNewer } from './decoded.ts';
import { specOf } from './definition.ts';
import type { SessionDefinition } from './definition.ts';

interface Slot {
  /** False: the value is still in the image, as bytes. */
  loaded: boolean;
  value: unknown;
  /** Made from a default and never saved: it exists for readers only until it is touched. */
  provisional: boolean;
}

export interface SlotsOptions {
  readonly begins?: boolean;
  readonly fixed?: string | undefined;
  readonly keptBase?: SessionContext['keptBase'];
}

/** A session's attributes as raw values: decoded from the image when first read, defaults made when first asked for. */
export class Slots implements AttributeSlots {
  #image: Image;
  readonly #codec: Codec;
  readonly #definition: SessionDefinition<object, object>;
  readonly #slots = new Map<string, Slot>();
  readonly #portions = new Map<string, Portions>();
  /** Names of attributes that were deleted in this use. */
  readonly #deleted = new Set<string>();
  readonly #fixed: string | undefined;
  readonly #keptBase: SessionContext['keptBase'];
  /** Of the image, when it was last seen that its bytes are no other's. */
  #forks: number;
  /** The names may no longer be those of the image. */
  #reshaped = false;

  /**
   * `begins`: of a session that is just created; its immutable attributes are absent until they are given. `fixed`: why
   * none can be changed. `keptBase`: see `SessionContext`; undefined also where the bytes are needed to merge.
   */
  constructor(
    image: Image,
    codec: Codec,
    definition: SessionDefinition<object, object>,
    { begins = false, fixed, keptBase }: SlotsOptions = {},
  ) {
    this.#keptBase = keptBase;
    this.#image = image;
    this.#forks = image.forks;
    this.#fixed = fixed;
    this.#codec = codec;
    this.#definition = definition;
    for (const name of image.directory.names) {
      if (definition.drop.has(name)) this.#reshaped = true;
      else this.#slots.set(name, { loaded: false, value: undefined, provisional: false });
    }
    for (const [name, spec] of Object.entries(definition.attributes)) {
      if (spec.initial !== undefined && !(begins && spec.class === 'immutable')) this.#addDefault(name);
    }
  }

  has(name: string): boolean {
    return this.#slots.has(name);
  }

  get(name: string): unknown {
    const slot = this.#slots.get(name);
    if (slot === undefined) return undefined;
    if (!slot.loaded) {
      const saved = slot.provisional ? undefined : this.#image.value(name);
      if (saved !== undefined && saved.bytes === undefined)
        throw new Error(`attribute '${name}': neither its value nor its bytes are here`);
      slot.value =
        saved === undefined ? defaultOf(this.#codec, this.#definition, name) : this.#decoded(name, saved.bytes);
      slot.loaded = true;
    }
    return slot.value;
  }

  #decoded(name: string, bytes: Uint8Array): unknown {
    const from = this.#storedVersion(name);
    const { value, asStored } = decoded(this.#codec, this.#definition, name, bytes, from, this.owner(name));
    if (asStored) this.owner(name).settle(bytes, value);
    return value;
  }

  #storedVersion(name: string): number {
    return this.#image.directory.versions.get(name) ?? 0;
  }

  /**
   * Why an attribute cannot be changed here: its value is of a newer schema than the definition's. Undefined: it can.
   */
  readOnly(name: string): string | undefined {
    if (this.#fixed !== undefined) return this.#fixed;
    const stored = this.#storedVersion(name);
    if (stored === 0 || !isNewer(this.#definition, name, stored) || !this.#slots.has(name)) return undefined;
    const { version = 0 } = specOf(this.#definition, name) ?? {};
    return `is of version ${stored} of its schema, newer than this definition's (${version === 0 ? 'none' : version}), and so read-only here: update this process`;
  }

  isSaved(name: string): boolean {
    return this.#image.value(name) !== undefined;
  }

  set(name: string, value: unknown): void {
    const slot = this.#slots.get(name);
    if (slot === undefined) {
      this.#slots.set(name, { loaded: true, value, provisional: false });
      this.#reshaped = true;
    } else {
      slot.loaded = true;
      slot.value = value;
    }
  }

  owner(name: string): Portions {
    let portions = this.#portions.get(name);
    if (portions !== undefined) return portions;
    const isKept = this.#keptBase === undefined || this.#keptBase(name) === 'bytes';
    this.#portions.set(name, (portions = new Portions(this.#codec.types, isKept ? undefined : UNKEPT)));
    return portions;
  }

  gone(name: string): void {
    this.#portions.delete(name);
    this.#deleted.delete(name);
  }

  takeBack(name: string, owner: Owner): void {
    if (owner instanceof Portions) this.#portions.set(name, owner);
  }

  /** The attribute's value is encoded as `bytes`, which the image is to have. */
  encoded(name: string, bytes: Uint8Array): void {
    this.owner(name).settle(bytes, this.#slots.get(name)?.value);
  }

  /**
   * At the end of a use. The application may still hold parts of these attributes: they are decoded again when next
   * read. Of those that are gone nothing is kept.
   */
  unload(names: readonly string[]): void {
    for (const name of this.#deleted) if (!this.#slots.has(name)) this.#portions.delete(name);
    this.#deleted.clear();
    for (const name of names) {
      const slot = this.#slots.get(name);
      if (slot === undefined) continue;
      slot.loaded = false;
      slot.value = undefined;
      this.owner(name).release();
    }
  }

  /**
   * After a save or a use: lets go of the bytes that are not to be kept, of values that are decoded here; of none while
   * the primary lacks what was saved (`isWaiting`), as they could not be read there. False: of some attribute neither is
   * here any more.
   */
  rest(differ: Differ, isWaiting: boolean): boolean {
    const keptBase = this.#keptBase;
    if (keptBase === undefined) return true;
    let isThere = true;
    for (const [name, slot] of this.#slots) {
      const saved = this.#image.value(name);
      if (saved === undefined) continue;
      if (!slot.loaded) isThere &&= saved.bytes !== undefined;
      else if (!isWaiting && letGo(this.#image, name, keptBase(name), differ)) this.#portions.get(name)?.forget();
    }
    return isThere;
  }

  /** A default takes the place of what is deleted, so that reading its attribute gives the declared type again. */
  delete(name: string): void {
    if (!this.#slots.delete(name)) return;
    this.#deleted.add(name);
    this.#portions.get(name)?.release();
    this.#reshaped = true;
    if (this.#hasDefault(name)) this.#addDefault(name);
  }

  /** Puts the attributes of these names first, in this order. */
  arrange(names: readonly string[]): void {
    if (this.#beginsWith(names) || this.#beginsWith(names.filter((name) => this.#slots.has(name)))) return;
    const old = new Map(this.#slots);
    this.#slots.clear();
    for (const name of [...names, ...old.keys()]) {
      const slot = old.get(name);
      if (slot !== undefined) this.#slots.set(name, slot);
    }
    this.#reshaped = true;
  }

  #beginsWith(names: readonly string[]): boolean {
    let index = 0;
    for (const name of this.#slots.keys()) {
      if (index === names.length) break;
      if (name !== names[index]) return false;
      index += 1;
    }
    return true;
  }

  names(): string[] {
    return [...this.#slots.keys()];
  }

  /** The attribute as it is here, if it is to be saved: no default that nobody touched. */
  live(name: string): { readonly value: unknown } | undefined {
    const slot = this.#slots.get(name);
    return slot === undefined || (slot.provisional && !slot.loaded) ? undefined : { value: this.get(name) };
  }

  /** Names to be saved: all but the defaults that nobody touched. Undefined: names and versions are as in the image. */
  savedNames(touched: readonly string[]): string[] | undefined {
    const isNew = (name: string): boolean => this.#slots.get(name)?.provisional === true;
    if (!this.#reshaped && !touched.some(isNew) && this.savedVersions(touched) === undefined) return undefined;
    const kept = new Set(touched);
    return [...this.#slots]
      .filter(([name, slot]) => !slot.provisional || (kept.has(name) && slot.loaded))
      .map(([name]) => name);
  }

  /**
   * Versions of the attributes' schemas once what was touched is saved: that is of the definition's. Undefined: as in
   * the image.
   */
  savedVersions(touched: readonly string[]): ReadonlyMap<string, number> | undefined {
    let versions: Map<string, number> | undefined;
    for (const name of touched) {
      const version = specOf(this.#definition, name)?.version ?? 0;
      if (version > this.#storedVersion(name))
        (versions ??= new Map(this.#image.directory.versions)).set(name, version);
    }
    return versions;
  }

  /** What a save looks at. `splice` undefined: it is none, and nothing is to be known of it here. */
  tracked(touched: readonly string[], splice: Tracked['splice']): Tracked {
    return {
      touched,
      names: this.savedNames(touched),
      versions: this.savedVersions(touched),
      value: (name) => this.get(name),
      differencing: (name) => specOf(this.#definition, name)?.differencing,
      splice,
      named: (name) => (splice === undefined ? { ids: this.owner(name).ids } : this.owner(name)),
      encoded: splice && ((name, bytes) => this.encoded(name, bytes)),
    };
  }

  /** What was touched has been saved. */
  settle(touched: readonly string[]): void {
    for (const name of touched) {
      const slot = this.#slots.get(name);
      if (slot?.loaded === true) slot.provisional = false;
    }
    this.#reshaped = false;
  }

  /** The save that settled is in the primary. */
  accepted(touched: readonly string[]): void {
    if (this.#forks !== this.#image.forks) return this.share();
    for (const name of touched) this.#portions.get(name)?.accepted();
  }

  /** The save that settled has failed. */
  unsettle(touched: readonly string[]): void {
    this.#reshaped = true;
    for (const name of touched) this.owner(name).forget();
  }

  /** Whether what is decoded here, and what is not yet, is of this image. */
  isOf(image: Image): boolean {
    return this.#image === image;
  }

  /** As `accepted`, and what was saved of these goes to whoever asks what has changed. */
  lent(touched: readonly string[]): void {
    for (const name of touched) this.#portions.get(name)?.disown();
  }

  /** Another image may have the same bytes from now on. */
  share(): void {
    this.#forks = this.#image.forks;
    for (const portions of this.#portions.values()) portions.disown();
  }

  /** The same state lives in another image from now on. */
  rebase(image: Image): void {
    this.#image = image;
    this.#forks = image.forks;
  }

  /** Another state: that of `image`, but for the attributes whose values `stay` as they are here. */
  follow(image: Image, stay: ReadonlySet<string>): void {
    this.#image = image;
    const old = new Map(this.#slots);
    this.#slots.clear();
    for (const name of new Set([...image.directory.names, ...old.keys()])) {
      const slot = old.get(name);
      if (stay.has(name)) {
        if (slot !== undefined) this.#slots.set(name, slot);
        continue;
      }
      this.#portions.get(name)?.forget();
      if (image.value(name) !== undefined && !this.#definition.drop.has(name))
        this.#slots.set(name, { loaded: false, value: undefined, provisional: false });
      else if (this.#hasDefault(name)) this.#addDefault(name);
    }
    this.#reshaped = true;
  }

  #hasDefault(name: string): boolean {
    const { attributes } = this.#definition;
    return Object.hasOwn(attributes, name) && attributes[name]?.initial !== undefined;
  }

  #addDefault(name: string): void {
    if (!this.#slots.has(name)) this.#slots.set(name, { loaded: false, value: undefined, provisional: true });
  }
}
