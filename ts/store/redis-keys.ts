/**
 * The keys of one prefix. All of a bucket lies under its hash tag: `prefix{bucket}` has its marks, `prefix{bucket}id` is
 * a session, `prefix@{bucket}` has the ids of all its rows. `prefix@` is for the whole prefix, `prefix@member` a channel.
 * A prefix has none of `{`, `}` and `@`, so that no key is another's.
 */
export class RedisKeys {
  readonly prefix: string;
  readonly buckets: number;

  constructor(prefix: string, buckets: number) {
    this.prefix = prefix;
    this.buckets = buckets;
  }

  get whole(): string {
    return `${this.prefix}@`;
  }

  marks(bucket: number): string {
    return `${this.prefix}{${bucket.toString(36)}}`;
  }

  ids(bucket: number): string {
    return `${this.prefix}@{${bucket.toString(36)}}`;
  }

  channel(member: string): string {
    return `${this.prefix}@${member}`;
  }

  /** FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv): every process must find the same one. */
  bucketOf(id: string): number {
    let hash = 0x811c9dc5;
    for (const byte of Buffer.from(id)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
    return hash % this.buckets;
  }
}
