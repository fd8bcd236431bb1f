import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { REMOTE, REMOTE_FUSE, isRemoteKind, mounted } from '../../ts/store/sqlite-remote.ts';
import { newFolder } from '../folders.ts';
import { HAS_ADDON, MODULE, saidBy } from './drivers.ts';

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const FUSE = 0x65735546;
/** ext4, XFS, btrfs, tmpfs, overlay, ZFS, F2FS. */
const LOCAL = [0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x2fc12fc1, 0xf2f52010];

/** Says of a folder what its name tells. */
const shim = join(newFolder(), 'statfs.so');
const HAS_SHIM =
  process.platform === 'linux' &&
  spawnSync('cc', ['-shared', '-fPIC', '-o', shim, path('statfs.c'), '-ldl']).status === 0 &&
  existsSync(shim);

describe.skipIf(!HAS_SHIM)(
  `a folder on a file system of other machines${HAS_SHIM ? '' : ' (skipped: there is no C compiler, or no Linux)'}`,
  () => {
    it.each(HAS_ADDON ? [MODULE, 'addon'] : [MODULE])(
      'is refused, whichever it is, and left empty: %s',
      (driver) => {
        const root = newFolder();
        const dirs = [...REMOTE, ...LOCAL, FUSE].map((kind) => join(root, `type-${kind.toString(16)}`));
        for (const dir of dirs) mkdirSync(dir);
        const ran = spawnSync(process.execPath, [path('openings.mjs'), '', ...dirs], {
          encoding: 'utf8',
          timeout: 60_000,
          env: { ...process.env, HOLDFAST_SQLITE: driver, LD_PRELOAD: shim },
        });
        expect(saidBy(ran.stderr)).toBe('');
        (JSON.parse(ran.stdout) as object[]).forEach((came, index) => {
          const dir = dirs[index] as string;
          if (index >= REMOTE.length) return expect([dir, came]).toEqual([dir, { epoch: 0 }]);
          expect([dir, came]).toMatchObject([
            dir,
            {
              code: 'ERR_INVALID',
              outcome: 'none',
              message: expect.stringMatching(/on a network file system.*name a folder on a local disk/) as string,
            },
          ]);
          expect(readdirSync(dir)).toEqual([]);
        });
      },
      60_000,
    );
  },
);

describe('what runs in a process of its own', () => {
  it('is told by its mount', () => {
    const mounts = [
      '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
      String.raw`90 22 0:51 / /srv/a\040b rw - fuse.sshfs me@there:/ rw`,
      '91 22 0:52 / /srv/c rw,nosuid shared:7 master:1 - fuse.gocryptfs /c rw',
      '92 22 0:53 / /srv/d rw - virtiofs share rw',
      '93 22 0:54 / /srv/e rw - fuseblk /dev/sdb1 rw',
    ].join('\n');
    const isRemote = (device: string): boolean => isRemoteKind(FUSE, () => mounted(mounts, device));
    expect(['0:51', '0:52', '0:53', '0:54', '0:5'].map(isRemote)).toEqual([true, false, true, false, false]);
    for (const name of REMOTE_FUSE) expect([name, isRemoteKind(FUSE, () => `fuse.${name}`)]).toEqual([name, true]);
    for (const kind of LOCAL) expect([kind, isRemoteKind(kind, () => 'fuse.sshfs')]).toEqual([kind, false]);
  });

  it.skipIf(process.platform !== 'linux')('and that is found by the numbers of its device', () => {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
    const { dev } = statSync('/proc', { bigint: true });
    expect(mounted(mounts, `${dev >> 8n}:${dev & 0xffn}`)).toBe('proc');
  });
});
