"""Sockets that listen, as whoever has them has them."""
import ctypes, os, socket, subprocess

from waiting import PATIENCE

SYS_pidfd_getfd = 438
libc = ctypes.CDLL(None, use_errno=True)


def sockets_of(pid):
    """Those over TCP that a process has: address, inode, owner, SO_REUSEPORT."""
    found = set()
    pidfd = os.pidfd_open(pid)
    try:
        for name in os.listdir("/proc/%d/fd" % pid):
            fd = libc.syscall(SYS_pidfd_getfd, pidfd, int(name), 0)
            if fd < 0:
                continue
            try:
                s = socket.socket(fileno=fd)
            except OSError:
                os.close(fd)
                continue
            with s:
                if s.family in (socket.AF_INET, socket.AF_INET6) and s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    what = os.fstat(s.fileno())
                    found.add((s.getsockname()[:2], what.st_ino, what.st_uid, s.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)))
    finally:
        os.close(pidfd)
    return sorted(found)


def shown():
    """What ss tells of all of them, without their queues."""
    r = subprocess.run(["ss", "-Hltne"], capture_output=True, text=True, timeout=PATIENCE)
    return sorted(" ".join(line.split()[3:]) for line in r.stdout.splitlines())
