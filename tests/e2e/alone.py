"""Instances that a test finds by themselves, and nobody else's: in a mount namespace of its own."""
import os, signal, subprocess
from harness import Case, GRACED, PATIENCE

# Nobody else's instances, and nobody else finds these.
ALONE = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "alone"]


def can_be_alone():
    try:
        return subprocess.run([*ALONE, "true"], stdin=subprocess.DEVNULL, capture_output=True).returncode == 0
    except OSError:
        return False


class AloneCase(Case):
    def setUp(self):
        super().setUp()
        self.env = {"XDG_RUNTIME_DIR": self.path("run"), "RUNTIME_DIRECTORY": ""}
        self.there = {}

    def start(self, *names, habits=("ready", "serve")):
        """Instances that are found by themselves."""
        for name in names:
            self.find(self.serving(name=name, habits=habits))

    def find(self, g):
        """From now on it is found by itself."""
        os.makedirs(self.path("run/graced/" + g.name))
        os.symlink(g.control, self.path("run/graced/%s/control" % g.name))
        self.there[g.name] = g
        self.addCleanup(self.wake, g)

    def wake(self, g):
        if g.process.poll() is None:
            g.signal(signal.SIGCONT)

    def call(self, *words, **more):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GRACED_")}
        return subprocess.run([*ALONE, GRACED, *words], capture_output=True, text=True, timeout=PATIENCE,
                              env={**environment, **self.env}, stdin=subprocess.DEVNULL, **more)
