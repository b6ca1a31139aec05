"""podman with everything it keeps in a directory of this test's own: storage, locks, mounts and network are
gone afterwards. The image is built as README says, but from packages that are built already."""
import atexit, ctypes, glob, json, os, shutil, socket, subprocess, sys, tempfile, unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
from harness import PATIENCE, ask, wait_until  # noqa: F401, re-exported

BASE = "docker.io/library/debian:bookworm-slim"
GRACED = "localhost/graced:latest"
SHOP = "registry.example/shop:1"
SERVER = "/srv/shop/bin/server"
PORT = 8080
CONFIGURATION = """
[containers]
netns = "host"
pids_limit = 0
log_driver = "{log}"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]

[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{place}/tmp"
image_copy_tmp_dir = "{place}"
"""
STORAGE = """
[storage]
driver = "overlay"
graphroot = "{place}/storage"
runroot = "{place}/run"
"""


class CannotRun(Exception):
    """Why there is no engine on this machine."""


class Engine:
    def __init__(self, log="k8s-file"):
        if os.geteuid() != 0:
            raise CannotRun("it takes root")
        missing = [program for program in ("podman", "runc") if not shutil.which(program)]
        if missing:
            raise CannotRun("not installed: " + ", ".join(missing))
        self.place = tempfile.mkdtemp(prefix="graced-engine-")
        self.own = {"CONTAINERS_CONF": self.place + "/containers.conf", "CONTAINERS_STORAGE_CONF": self.place + "/storage.conf",
                    "TMPDIR": self.place}
        self.environment = {**{k: v for k, v in os.environ.items() if not k.startswith(("GRACED_", "NOTIFY_"))}, **self.own,
                            "DISABLE_HC_SYSTEMD": "true"}  # health checks are run by the test
        self.cgroups = set(self.cgroups_of_podman())
        atexit.register(self.close)
        for name, text in (("containers.conf", CONFIGURATION), ("storage.conf", STORAGE)):
            with open(os.path.join(self.place, name), "w") as f:
                f.write(text.format(place=self.place, log=log))

    def begin(self, *command):
        """The first one, by which is seen whether this machine can do that."""
        answer = self.podman(*command, ok=False)
        if answer.returncode != 0:
            raise CannotRun("podman %s: %s" % (command[0], answer.stderr.strip()))

    def podman(self, *arguments, ok=True, **more):
        answer = subprocess.run(["podman", *arguments], env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=5 * PATIENCE, **more)
        if ok and answer.returncode != 0:
            raise AssertionError("podman %s: %d\n%s%s" % (" ".join(arguments), answer.returncode, answer.stdout, answer.stderr))
        return answer

    def build(self, base, packages, bundle):
        """The image graced, and on top of it one for a shop, as everybody makes one."""
        self.begin("import", "--quiet", base, BASE)
        self.begin("run", "--rm", BASE, "true")
        stage = os.path.join(self.place, "stage")
        shutil.copytree(packages, stage + "/packages")
        shutil.copytree(bundle + "/opt", stage + "/packages/opt")
        self.podman("build", "--pull=never", "--network=host", "--format", "docker", "--build-context", "build=" + stage,
                    "-f", "packaging/container/Containerfile", "-t", "graced", ".", cwd=ROOT)
        shop = os.path.join(self.place, "shop")
        os.mkdir(shop)
        shutil.copy(os.environ["EXAMPLE_SERVER"], shop + "/server")
        with open(shop + "/shop", "w") as f:  # the manifest's, which has a configuration of its own
            f.write('#!/bin/sh\nexec %s\n' % SERVER)
        os.chmod(shop + "/shop", 0o755)
        with open(shop + "/Containerfile", "w") as f:
            f.write("FROM localhost/graced\nCOPY server shop /srv/shop/bin/\n")
        self.podman("build", "--pull=never", "--format", "docker", "-t", SHOP, shop)

    def save(self, images):
        self.podman("save", "--quiet", "--multi-image-archive", "--output", images, GRACED, SHOP)

    def load(self, images):
        if not os.path.exists(images):
            raise CannotRun("the images could not be built")
        self.begin("load", "--quiet", "--input", images)
        self.begin("run", "--rm", "--entrypoint", "true", GRACED)

    def cgroups_of_podman(self):
        return glob.glob("/sys/fs/cgroup/libpod_parent") + glob.glob("/sys/fs/cgroup/*/libpod_parent")

    def close(self):
        for what in (("pod", "rm", "--all", "--force", "--time=0"), ("rm", "--all", "--force", "--time=0")):
            self.podman(*what, ok=False)
        for mounted in reversed(mounts_below(self.place)):
            subprocess.run(["umount", "--lazy", mounted], check=False)
        shutil.rmtree(self.place, ignore_errors=True)
        for cgroup in set(self.cgroups_of_podman()) - self.cgroups:
            for directory, _, _ in os.walk(cgroup, topdown=False):
                try:
                    os.rmdir(directory)
                except OSError:
                    pass  # somebody else's began meanwhile


def own_mounts():
    """What podman mounts is seen by nobody else, and gone with us."""
    if ctypes.CDLL(None, use_errno=True).unshare(0x00020000) != 0:  # CLONE_NEWNS
        raise CannotRun("no mount namespace: " + os.strerror(ctypes.get_errno()))
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def mounts_below(place):
    with open("/proc/self/mountinfo") as f:
        points = [line.split()[4] for line in f]
    return [p for p in points if p.startswith(place + "/")]


class Request:
    """One that the server takes its time for."""

    def __init__(self, milliseconds):
        self.socket = socket.create_connection(("127.0.0.1", PORT), PATIENCE)
        self.socket.sendall(b"GET /slow?ms=%d HTTP/1.1\r\nHost: x\r\n\r\n" % milliseconds)
        ask(("127.0.0.1", PORT))  # connections are accepted in the order that they came in

    def answer(self):
        """Until the end of the connection."""
        text = b""
        with self.socket:
            while part := self.socket.recv(65536):
                text += part
        return text.decode()


ENGINE = None  # set once by run.py


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.podman = ENGINE.podman

    def start(self, *arguments, options=(), image=SHOP, ready=True):
        """A container of the shop's image; its name."""
        name = "shop-%s" % os.urandom(4).hex()
        self.podman("run", "--detach", "--name", name, *options, image, *arguments)
        self.addCleanup(self.podman, "rm", "--force", "--time=0", name, ok=False)
        if ready:
            self.becomes_ready(name)
        return name

    def becomes_ready(self, name):
        def ready():
            if self.exec(name, "graced", "status", "--ready", ok=False).returncode == 0:
                return True
            self.assertTrue(self.state(name)["Running"], self.said(name))
            return False

        wait_until(ready, lambda: self.said(name))

    def exec(self, name, *command, ok=True):
        return self.podman("exec", name, *command, ok=ok)

    def status(self, name):
        return json.loads(self.exec(name, "graced", "status", "--json").stdout)

    def serves(self, name, generation):
        wait_until(lambda: self.status(name)["serving"] == generation, lambda: self.said(name))

    def said(self, name):
        answer = self.podman("logs", name, ok=False)
        return answer.stdout + answer.stderr

    def state(self, name):
        return json.loads(self.podman("inspect", name).stdout)[0]["State"]
