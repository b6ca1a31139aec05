"""What the Containerfile and the Kubernetes manifest say, done by hand where there is no engine (tests/container
has one): the installed package as PID 1, as their user, without a capability, on a root that it cannot write
to; and a sidecar in another PID namespace that reloads it when the files of its volume are replaced."""
import json, os, re, signal, subprocess, sys, tempfile, unittest
import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
os.environ.setdefault("GRACED_BINARY", "/usr/bin/graced")
from harness import PATIENCE, WORKER, Manager, ask, children, wait_until
from life_test import package, run

ROOT = os.path.join(HERE, "..", "..")
with open(os.path.join(ROOT, "packaging", "kubernetes", "shop.yaml")) as f:
    CONFIG, DEPLOYMENT, SERVICE = yaml.safe_load_all(f)
POD = DEPLOYMENT["spec"]["template"]["spec"]
SHOP, SIDECAR = POD["containers"]
with open(os.path.join(ROOT, "packaging", "container", "Containerfile")) as f:
    IMAGE = f.read()


def said_by_image(instruction):
    return re.findall(r"^%s (.*)$" % instruction, IMAGE, re.M)[-1]


ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **dict(each.split("=") for each in re.findall(r"^ENV (.*)$", IMAGE, re.M)),
               **{each["name"]: each["value"] for each in SHOP["env"]}}
USER = said_by_image("USER").split(":")[0]


def name_of(pid):
    try:
        with open("/proc/%d/comm" % pid) as f:
            return f.read().strip()
    except OSError:
        return None


class Container:
    """One of the pod: its own processes, the pod's network and volumes."""

    def __init__(self, command, output, **more):
        self.process = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--mount", "--mount-proc", "sh", "-c",
             # /proc stays, and the volumes.
             "mount -o remount,bind,ro / && exec setpriv --reuid %s --regid %s --groups %s --no-new-privs --inh-caps=-all "
             "--bounding-set=-all -- \"$@\"" % (USER, USER, POD["securityContext"]["fsGroup"]), "sh", *command],
            env={**ENVIRONMENT, **more}, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/")

    def pid(self):
        return wait_until(lambda: children(self.process.pid))[0]

    def exec(self, *command):
        return subprocess.run(["nsenter", "--target", str(self.pid()), "--pid", "--mount", "--root", "setpriv", "--reuid", USER, "--regid", USER,
                               "--clear-groups", "--", *command], env=ENVIRONMENT, cwd="/", capture_output=True, text=True, timeout=PATIENCE)

    def close(self):
        for pid in children(self.process.pid):  # its PID 1, which takes all others along
            os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()


class Pod(unittest.TestCase):
    """The volumes are where the manifest mounts them: this root is thrown away."""

    @classmethod
    def setUpClass(cls):
        run("rm", "-f", "/var/lib/man-db/auto-update")
        run("dpkg", "--install", package("graced", "PACKAGES"))
        mounts = {m["name"]: m["mountPath"] for m in SHOP["volumeMounts"]}
        cls.config, cls.control = mounts["config"], mounts["control"]
        os.makedirs(cls.config)
        os.makedirs(cls.control)
        run("mount", "-t", "tmpfs", "-o", "mode=2777,gid=%d" % POD["securityContext"]["fsGroup"], "tmpfs", cls.control)
        for each in POD["initContainers"]:
            run("setpriv", "--reuid", USER, "--regid", USER, "--clear-groups", "--", *each["command"])

    def setUp(self):
        self.output = open("/tmp/output", "w+b")
        self.addCleanup(self.output.close)
        self.manager = Manager(os.path.join(self.control, "manager"))
        os.chmod(self.manager.path, 0o777)
        self.addCleanup(os.unlink, self.manager.path)
        self.addCleanup(self.manager.close)

    def said(self):
        with open("/tmp/output", errors="replace") as f:
            return f.read()

    def publish(self, *habits):
        """As the kubelet does: a new directory with something new in it, and one link that leads to it at once."""
        where = tempfile.mkdtemp(prefix="..", dir=self.config)
        os.chmod(where, 0o755)
        worker = " ".join([WORKER, *habits])
        for name, text in CONFIG["data"].items():
            with open(os.path.join(where, name), "w") as f:
                f.write("# %s\n" % where + re.sub(r"^command = .*$", "command = " + worker, text, flags=re.M))
        os.symlink(os.path.basename(where), self.config + "/..next")
        os.rename(self.config + "/..next", self.config + "/..data")
        for name in CONFIG["data"]:
            if not os.path.lexists("%s/%s" % (self.config, name)):
                os.symlink("..data/" + name, "%s/%s" % (self.config, name))

    def start(self, *habits):
        self.publish(*habits)
        command = [*json.loads(said_by_image("ENTRYPOINT")), *SHOP["args"]]
        shop = Container(command, self.output, NOTIFY_SOCKET=self.manager.path, LEAVE_FILE="/tmp/leave")
        self.addCleanup(shop.close)
        try:
            self.manager.wait("READY=1")
        except AssertionError as e:
            raise AssertionError("%s\n%s" % (e, self.said()))
        return shop

    def probe(self, shop, name):
        return shop.exec(*SHOP[name]["exec"]["command"]).returncode

    def port(self):
        return SHOP["ports"][0]["containerPort"]

    def test_the_sidecar_reloads_when_the_files_change_and_pid_1_stays(self):
        shop = self.start("ready", "serve")
        pid = shop.pid()
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            self.assertEqual(self.probe(shop, probe), 0, probe)
        self.assertIn("generation 1", ask(("127.0.0.1", self.port())))
        sidecar = Container([*SIDECAR["command"], *SIDECAR["args"]], self.output)
        self.addCleanup(sidecar.close)
        # It knows what it begins with once it sleeps.
        wait_until(lambda: "sleep" in map(name_of, children(sidecar.pid())), self.said)
        self.publish("ready", "serve")
        wait_until(lambda: "generation 2 serves" in self.said(), self.said)
        self.publish("exit=3")
        wait_until(lambda: "the old generation still serves" in self.said(), self.said)
        self.assertEqual(self.probe(shop, "readinessProbe"), 0)
        self.publish("ready", "serve")
        wait_until(lambda: "generation 4 serves" in self.said(), self.said)
        self.assertEqual(shop.pid(), pid)
        status = json.loads(shop.exec("graced", "status", "--json").stdout)
        self.assertEqual((status["pid"], status["serving"], status["name"]), (1, 4, "shop"))

    def test_it_may_nothing(self):
        shop = self.start("ready", "serve")
        with open("/proc/%d/status" % shop.pid()) as f:
            told = dict(line.rstrip().split(":\t", 1) for line in f if ":\t" in line)
        self.assertEqual(told["Uid"].split(), [USER] * 4)
        self.assertEqual((told["CapEff"], told["CapBnd"]), ("0" * 16, "0" * 16))
        self.assertNotEqual(shop.exec("touch", "/usr/x").returncode, 0)

    def test_a_stop_finishes_what_is_under_way_and_ends_with_status_0(self):
        shop = self.start("ready", "serve-late")
        os.kill(shop.pid(), getattr(signal, said_by_image("STOPSIGNAL")))
        self.manager.wait("STOPPING=1")
        self.assertEqual(self.probe(shop, "readinessProbe"), 1)
        self.assertEqual(self.probe(shop, "livenessProbe"), 0)
        with open("/tmp/leave", "w"):
            pass
        self.addCleanup(os.unlink, "/tmp/leave")
        self.assertEqual(shop.process.wait(PATIENCE), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
