"""Locks of open files and folders: the kernel drops one with the process that has it."""

import fcntl


def acquire(file: int, *, shared: bool = False, blocking: bool = False) -> bool:
    """Whether this process has the lock of an open file now, until it closes that.

    Raises OSError where the file system has no locks.
    """
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if blocking else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def acquire_folder(folder: int, *, shared: bool = False) -> bool:
    """The same for an open folder; True on a file system that locks none, such as NFS."""
    try:
        return acquire(folder, shared=shared)
    except OSError:
        return True
