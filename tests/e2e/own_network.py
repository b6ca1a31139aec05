"""A network of this process's own, loopback only: a server that binds its port itself can then have any
port, whatever else runs on the machine."""
import ctypes, fcntl, os, socket, struct, unittest

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def enter():
    """For the whole process and what it starts; skips the tests where that is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise unittest.SkipTest("a network of its own: %s (needs root)" % os.strerror(ctypes.get_errno()))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = struct.pack("16sh", b"lo", 0)
        flags = struct.unpack("16sh", fcntl.ioctl(s, SIOCGIFFLAGS, request + b"\0" * 14)[:18])[1]
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP) + b"\0" * 14)


def free_port(_next=[20000]):
    """One that nobody has used in here."""
    _next[0] += 1
    return _next[0]
