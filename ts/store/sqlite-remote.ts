import { readFileSync, statSync, statfsSync } from 'node:fs';

/** Types of file systems that other machines write to as well: as in `crates/sqlite` (a test compares them). */
export const REMOTE: readonly number[] = [
  0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x564c, 0x00c36400, 0x5346414f, 0x6b414653, 0x73757245, 0x0bd00bd0,
  0x7461636f, 0x01161970, 0x01021997, 0x786f4256, 0xbacbacbc, 0x7c7c6673, 0x47504653, 0x19830326, 0x20030528,
  0xaad7aaea, 0xbeefdead, 0x013111a8, 0x61636673,
];

/** Of all that runs in a process of its own: only its name in the list of mounts tells one from the other. */
const FUSE = 0x65735546;

export const REMOTE_FUSE: readonly string[] = [
  'afpfs',
  'blobfuse',
  'blobfuse2',
  'ceph',
  'ceph-fuse',
  'curlftpfs',
  'davfs',
  'gcsfuse',
  'glusterfs',
  'goofys',
  'grpcfuse',
  'gvfsd-fuse',
  'hdfs',
  'httpfs',
  'juicefs',
  'mfs',
  'mount-s3',
  'osxfs',
  'rclone',
  's3fs',
  'seaweedfs',
  'smbnetfs',
  'sshfs',
  'virtiofs',
];

/** The type of what is mounted as this device: `fuse.sshfs`, `virtiofs`. */
export function mounted(mounts: string, device: string): string | undefined {
  const line = mounts.split('\n').find((each) => each.split(' ')[2] === device);
  return line?.split(' - ')[1]?.split(' ')[0];
}

export function isRemoteKind(kind: number, mount: () => string | undefined): boolean {
  return REMOTE.includes(kind) || (kind === FUSE && REMOTE_FUSE.includes(mount()?.replace(/^fuse\./, '') ?? ''));
}

/** Where no more than a number can be had of it, on other systems than Linux, nobody can tell. */
export function isRemote(dir: string): boolean {
  return (
    process.platform === 'linux' &&
    isRemoteKind(statfsSync(dir).type >>> 0, () => mounted(readFileSync('/proc/self/mountinfo', 'utf8'), deviceOf(dir)))
  );
}

/** Its numbers as Linux packs them into one. */
function deviceOf(dir: string): string {
  const { dev } = statSync(dir, { bigint: true });
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn & 0xffffffffn);
  return `${major}:${minor}`;
}
