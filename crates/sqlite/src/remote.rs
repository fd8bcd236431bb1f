//! File systems that other machines write to as well: their locks and their mapped memory cannot be relied on.

use std::path::Path;

/// Their numbers, of Linux's `magic.h` and of their own sources.
#[cfg(any(target_os = "linux", test))]
const REMOTE: [i64; 23] = [
    0x6969,      // NFS
    0x517B,      // SMB
    0xFF53_4D42, // CIFS
    0xFE53_4D42, // SMB2
    0x564C,      // NCP
    0x00C3_6400, // Ceph
    0x5346_414F, // AFS
    0x6B41_4653, // kAFS
    0x7375_7245, // Coda
    0x0BD0_0BD0, // Lustre
    0x7461_636F, // OCFS2
    0x0116_1970, // GFS2
    0x0102_1997, // 9P: folders of the host in virtual machines and WSL
    0x786F_4256, // vboxsf: the same of VirtualBox
    0xBACB_ACBC, // vmhgfs: of VMware
    0x7C7C_6673, // prl_fs: of Parallels
    0x4750_4653, // GPFS
    0x1983_0326, // BeeGFS
    0x2003_0528, // OrangeFS
    0xAAD7_AAEA, // PanFS
    0xBEEF_DEAD, // StorNext
    0x0131_11A8, // IBRIX
    0x6163_6673, // ACFS
];

/// Of all that runs in a process of its own: only its name in the list of mounts tells one from the other.
#[cfg(any(target_os = "linux", test))]
const FUSE: i64 = 0x6573_5546;

#[cfg(any(target_os = "linux", test))]
const REMOTE_FUSE: [&str; 24] = [
    "afpfs",
    "blobfuse",
    "blobfuse2",
    "ceph",
    "ceph-fuse",
    "curlftpfs",
    "davfs",
    "gcsfuse",
    "glusterfs",
    "goofys",
    "grpcfuse",
    "gvfsd-fuse",
    "hdfs",
    "httpfs",
    "juicefs",
    "mfs",
    "mount-s3",
    "osxfs",
    "rclone",
    "s3fs",
    "seaweedfs",
    "smbnetfs",
    "sshfs",
    "virtiofs",
];

/// The type of what is mounted as this device: `fuse.sshfs`, `virtiofs`.
#[cfg(any(target_os = "linux", test))]
fn mounted(mounts: &str, device: &str) -> Option<String> {
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some(device))?;
    line.split_once(" - ")?.1.split(' ').next().map(String::from)
}

#[cfg(any(target_os = "linux", test))]
fn is_remote_kind(kind: i64, mount: impl FnOnce() -> Option<String>) -> bool {
    let is_remote_fuse = |name: String| REMOTE_FUSE.contains(&name.strip_prefix("fuse.").unwrap_or(&name));
    REMOTE.contains(&kind) || (kind == FUSE && mount().is_some_and(is_remote_fuse))
}

#[cfg(unix)]
fn statfs(path: &Path) -> Option<libc::statfs> {
    use std::os::unix::ffi::OsStrExt;
    let name = std::ffi::CString::new(path.as_os_str().as_bytes()).ok()?;
    let mut found = std::mem::MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: `name` ends with NUL and `found` has room for the answer.
    let status = unsafe { libc::statfs(name.as_ptr(), found.as_mut_ptr()) };
    // SAFETY: the call has filled it in.
    (status == 0).then(|| unsafe { found.assume_init() })
}

#[cfg(target_os = "linux")]
pub fn is_remote(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let mount = || {
        let device = path.metadata().ok()?.dev();
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
        mounted(&mounts, &format!("{}:{}", libc::major(device), libc::minor(device)))
    };
    #[allow(clippy::unnecessary_cast)] // its type differs from one libc to the next
    statfs(path).is_some_and(|found| is_remote_kind(found.f_type as i64 & 0xFFFF_FFFF, mount))
}

/// The system itself says so.
#[cfg(target_os = "macos")]
pub fn is_remote(path: &Path) -> bool {
    statfs(path).is_some_and(|found| found.f_flags & libc::MNT_LOCAL as u32 == 0)
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub fn is_remote(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_the_list_is_told_and_no_local_one() {
        for kind in REMOTE {
            assert!(is_remote_kind(kind, || None), "{kind:x}");
        }
        let local = [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994, 0x794C_7630, 0x2FC1_2FC1, 0xF2F5_2010];
        for kind in local {
            assert!(!is_remote_kind(kind, || Some("fuse.sshfs".into())), "{kind:x}");
        }
    }

    #[test]
    fn what_runs_in_a_process_of_its_own_is_told_by_its_mount() {
        let mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                      90 22 0:51 / /srv/a\\040b rw - fuse.sshfs me@there:/ rw\n\
                      91 22 0:52 / /srv/c rw,nosuid shared:7 master:1 - fuse.gocryptfs /c rw\n\
                      92 22 0:53 / /srv/d rw - virtiofs share rw\n\
                      93 22 0:54 / /srv/e rw - fuseblk /dev/sdb1 rw\n";
        let is_remote = |device: &str| is_remote_kind(FUSE, || mounted(mounts, device));
        assert_eq!(["0:51", "0:52", "0:53", "0:54", "0:5"].map(is_remote), [true, false, true, false, false]);
        for name in REMOTE_FUSE {
            assert!(is_remote_kind(FUSE, || Some(format!("fuse.{name}"))), "{name}");
        }
    }
}
