"""The world of the manual pages: /etc/graced/shop.conf, /srv/shop, ./app, port 80 and nginx are there, for this process and what it
starts alone. Programs that are not graced's are placeholders: what is tested is how graced is told to run them."""
import ctypes, glob, os, select, shutil, subprocess, tempfile, unittest

import harness, own_network

CLONE_NEWNS, MS_REC, MS_PRIVATE, MS_BIND = 0x20000, 0x4000, 1 << 18, 0x1000

# A server that binds port 8080 itself, if it is not passed a socket, and leaves on any of the signals that servers leave on.
SERVER = """#!/usr/bin/python3 -B
import os, signal, socket, sys
if "--check-config" in sys.argv:
    sys.exit(0)
passed = os.environ.get("LISTEN_PID") == str(os.getpid())
if "--fd" in sys.argv:
    listener = socket.socket(fileno=int(sys.argv[sys.argv.index("--fd") + 1]))
elif "APP_FD" in os.environ:
    listener = socket.socket(fileno=int(os.environ["APP_FD"]))
elif passed:
    listener = socket.socket(fileno=3)
else:
    listener = socket.create_server(("127.0.0.1", 8080))
for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT, signal.SIGUSR1, signal.SIGWINCH):
    signal.signal(number, lambda *_: os._exit(0))
if "NOTIFY_SOCKET" in os.environ:
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
while True:
    client, _ = listener.accept()
    client.recv(65536)
    client.sendall(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: 3\\r\\n\\r\\nyes")
    client.close()
"""
# Servers that are named by the pages, and what they are run by.
NAMED = ("server", "nginx", "node", "apache2", "php-fpm8.2", "haproxy", "caddy", "squid", "varnishd", "uwsgi-core", "gunicorn", "uvicorn",
         "puma", "yaws", "rsync", "redis-server", "supervisorctl", "sv", "pm2")
# What these are asked for is done elsewhere; here they only must be asked something.
DONE_ELSEWHERE = ("systemctl", "ssh")
EDITOR = "#!/bin/sh\necho 'command = /srv/shop/bin/shop' >\"$1\"\n"


def mount(source, target, kind, flags=0, data=None):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source.encode(), target.encode(), kind and kind.encode(), flags, data and data.encode()) != 0:
        raise OSError(ctypes.get_errno(), "mount %s: %s" % (target, os.strerror(ctypes.get_errno())))


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


class Sandbox:
    """Once for a process, which is in it from then on. place: the directory that commands are run in."""

    def __init__(self, shop_conf, example_conf, server_py):
        own_network.enter()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNS) != 0:
            raise unittest.SkipTest("mounts of its own: %s (needs root)" % os.strerror(ctypes.get_errno()))
        mount("none", "/", None, MS_REC | MS_PRIVATE)
        self.place = tempfile.mkdtemp(prefix="graced-test-manual-")
        os.chmod(self.place, 0o755)
        # A copy of /etc, with a user and files that the pages speak of.
        etc = os.path.join(self.place, "etc")
        shutil.copytree("/etc", etc, symlinks=True, ignore=lambda where, names: [n for n in names if not os.access(os.path.join(where, n), os.R_OK)])
        mount(etc, "/etc", None, MS_BIND)
        for directory in ("/run", "/srv"):
            mount("tmpfs", directory, "tmpfs", data="mode=755")
        for name, entry in (("passwd", "shop:x:4711:4711::/nonexistent:/bin/false"), ("group", "shop:x:4711:")):
            with open("/etc/" + name, "a") as f:
                f.write(entry + "\n")
        os.mkdir("/run/shop")

        write("/etc/graced/shop.conf", shop_conf)
        write("/etc/graced/example.conf", example_conf)
        for path in ("/srv/shop/bin/shop", "/srv/shop/shop", "/srv/shop/app.pl", *(os.path.join(self.place, n) for n in ("app", "server"))):
            write(path, SERVER, 0o755)
        write(os.path.join(self.place, "server.py"), server_py, 0o755)
        programs = os.path.join(self.place, "bin")
        for name in NAMED:
            write(os.path.join(programs, name), SERVER, 0o755)
        for name in DONE_ELSEWHERE:
            write(os.path.join(programs, name), '#!/bin/sh\necho "$0 $*" >>"%s/asked"\n' % self.place, 0o755)
        write(os.path.join(programs, "editor"), EDITOR, 0o755)
        os.symlink(harness.GRACED, os.path.join(programs, "graced"))
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("GRACED_") and k != "NOTIFY_SOCKET"}
        self.environment.update(PATH="%s:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" % programs, EDITOR="editor", NO_COLOR="1",
                                ASAN_OPTIONS="detect_leaks=0")  # in which the sanitizer's own tracer crashes here, by chance of the layout

    def run(self, line, **more):
        """As typed into a shell; its exit status and what it said."""
        return subprocess.run(["/bin/sh", "-e", "-c", line], cwd=self.place, env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=harness.PATIENCE, **more)

    def asked(self):
        """What programs of other worlds were asked."""
        path = os.path.join(self.place, "asked")
        if not os.path.exists(path):
            return ""
        with open(path) as f:
            return f.read()

    def close(self):
        libc = ctypes.CDLL(None)
        for directory in ("/etc", "/run", "/srv"):
            libc.umount2(directory.encode(), 2)
        shutil.rmtree(self.place, True)


class Running:
    """An instance that a line of a page starts."""

    def __init__(self, sandbox, line):
        for leftover in glob.glob(os.path.join(sandbox.place, "manager*")):
            os.unlink(leftover)
        self.manager = harness.Manager(os.path.join(sandbox.place, "manager"))
        self.log_path = os.path.join(sandbox.place, "log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(["/bin/sh", "-c", "exec " + line], cwd=sandbox.place, stdin=subprocess.DEVNULL, stderr=log,
                                            stdout=log, env={**sandbox.environment, "NOTIFY_SOCKET": self.manager.path})
        self.wait_until_it_serves()

    def wait_until_it_serves(self):
        end = os.pidfd_open(self.process.pid)
        try:
            while not any("READY=1" in message for message in self.manager.heard):
                happened, _, _ = select.select([self.manager.socket, end], [], [], harness.PATIENCE)
                if self.manager.socket not in happened:
                    self.kill()
                    raise AssertionError("it does not serve\n" + self.said())
                self.manager.wait("")
        finally:
            os.close(end)

    def said(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def end(self):
        """By a stop, if it runs still; the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(harness.PATIENCE)
        self.manager.close()
        return code

    def kill(self):
        """Where a test has failed: it is told twice not to wait, so that its workers end with it."""
        for _ in range(2):
            if self.process.poll() is None:
                self.process.terminate()
        self.process.wait(harness.PATIENCE)
        self.manager.close()
