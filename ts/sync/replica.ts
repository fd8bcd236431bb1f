import { Image } from '../log/image.ts';

/** This process's copy of a session: the base of the next save, and what its log weighs. */
export class Replica {
  readonly id: string;
  image: Image = new Image();
  /** No record yet: the next one is a snapshot. */
  snapshotBytes = 0;
  deltaBytes = 0;
  destroyed = false;
  /** Must be pulled before use: it never was, or an append of unknown outcome may have gone through. */
  stale = true;
  /** Monotonic ms; Infinity: never. */
  expiresAt: number = Infinity;

  constructor(id: string) {
    this.id = id;
  }

  get exists(): boolean {
    return this.image.position.revision > 0 && !this.destroyed;
  }
}
