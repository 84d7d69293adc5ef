"""The kinds of file systems on which SQLite's locks can't be trusted, and how a path's is known."""

import os
import re
from pathlib import Path

# Names as /proc/mounts has them: of networks, of clusters, and of what a virtual machine shares with its host.
_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "auristorfs", "coda", "ceph", "glusterfs", "lustre"}
_CLUSTER = {"beegfs", "gpfs", "wekafs", "panfs", "ocfs2", "gfs2", "orangefs", "pvfs2", "quobyte"}
_HOST = {"9p", "virtiofs", "vboxsf", "vmhgfs", "prl_fs", "drvfs", "fakeowner", "grpcfuse", "osxfs"}
_SHARED = _NETWORK | _CLUSTER | _HOST
# Most programs that offer a file system through FUSE bring one from elsewhere: sshfs, rclone, gcsfuse, blobfuse2,
# mountpoint-s3. These don't.
_LOCAL_FUSE = {"fuse-overlayfs", "bindfs", "encfs", "gocryptfs", "cryfs", "mergerfs", "unionfs", "ntfs-3g", "lxcfs"}


def shared_file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The kind of file system that `path` lies on, such as nfs4, where others may share it; else nothing.

    It is known on Linux only. A program of FUSE that gives its file system no kind is known by its own name:
    fuse.mountpoint-s3.
    """
    source, kind = mounted(path, mounts)
    if kind == "fuse":
        kind = f"fuse.{source}"
    if kind in _SHARED or (kind.startswith("fuse.") and kind.removeprefix("fuse.") not in _LOCAL_FUSE):
        return kind
    return ""


def mounted(path: Path, mounts: Path = Path("/proc/mounts")) -> tuple[str, str]:
    """What is mounted where `path` lies, such as /dev/sda1, and its kind; two empty texts where that isn't known."""
    if not mounts.exists():
        return "", ""
    target = Path(os.path.realpath(path))
    found: dict[Path, tuple[str, str]] = {}
    for line in mounts.read_text(errors="replace").splitlines():
        source, point, kind, *_ = line.split(" ")
        found[Path(re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), point))] = source, kind
    around = [point for point in found if target.is_relative_to(point)]
    if not around:
        return "", ""
    return found[max(around, key=lambda point: len(point.parts))]
