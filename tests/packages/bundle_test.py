"""The bundle in roots that are not Debian's: one with a static server and nothing else, one with musl as its C library, and
one with a glibc of its own. BUNDLE is the directory that packaging/bundle has filled."""
import glob, json, os, shutil, signal, subprocess, sys, tarfile, tempfile, threading, unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
BUNDLE = os.environ["BUNDLE"]
PROGRAM = "/opt/graced/bin/graced"  # in the roots
os.environ.setdefault("GRACED_BINARY", BUNDLE + PROGRAM)
from harness import PATIENCE, Manager, ask, children, wait_until

if not os.environ.get("THROW_AWAY_ROOT"):
    sys.exit("this mounts: it is run by CTest, in a root that tests/packages/root makes")
ADDRESS = "127.0.0.1", 8080
# What an image for programs of its own may say; nothing of it is graced's.
ENVIRONMENT = {"PATH": "/bin", "LD_LIBRARY_PATH": "/lib", "SHOP": "open"}
GRACED_SAYS = "GRACED_", "LISTEN_", "NOTIFY_SOCKET"


def run(*command):
    r = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE)
    if r.returncode != 0:
        raise AssertionError("%s: %d\n%s" % (" ".join(command), r.returncode, r.stdout))
    return r.stdout


def compiled(compiler, *options):
    binary = os.path.join(tempfile.mkdtemp(), "server")
    run(compiler, "-O1", *options, os.path.join(HERE, "servers", "hello.c"), "-o", binary)
    return binary


def files_below(root):
    return sorted(os.path.join(where, name) for where, directories, names in os.walk(root) for name in [*directories, *names])


class Image:
    """A root directory: the bundle, the server and what is given to put()."""

    def __init__(self, server):
        self.root = tempfile.mkdtemp(prefix="image-")
        os.chmod(self.root, 0o755)
        for name in ("dev", "proc"):  # which every engine mounts
            os.mkdir(os.path.join(self.root, name))
        run("mount", "--bind", "/dev", self.root + "/dev")
        shutil.copytree(BUNDLE + "/opt", self.root + "/opt", symlinks=True)
        shutil.copy(server, self.root + "/server")

    def put(self, path, content):
        os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
        with open(self.root + path, "w") as f:
            f.write(content)

    def copy(self, path, to=None):
        to = self.root + (to or path)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy(path, to)

    def path(self, mapped):
        """Of a file in /proc/PID/maps."""
        before, root, path = mapped.partition(self.root)
        return path if root else before

    def mapped(self, pid):
        with open("/proc/%d/maps" % pid) as f:
            return {self.path(line.split(None, 5)[5].strip()) for line in f if "/" in line}

    def descriptors(self, pid):
        return {self.path(os.readlink(each)) for each in glob.glob("/proc/%d/fd/*" % pid)}


class Container:
    """The image as it runs: graced is PID 1 in it."""

    def __init__(self, image, *options, environment=ENVIRONMENT, become=()):
        self.image = image
        self.output = open(image.root + ".log", "w+b")
        self.manager = Manager(image.root + "/manager")
        os.chmod(self.manager.path, 0o777)
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--root", image.root, "--mount-proc", *become,
             PROGRAM, "run", "--name", "shop", *options],
            env={**environment, "NOTIFY_SOCKET": "/manager"}, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output)
        try:
            self.manager.wait("READY=1")
        except AssertionError as e:
            raise AssertionError("%s\n%s" % (e, self.said()))
        self.pid = wait_until(lambda: children(self.process.pid), self.said)[0]

    def said(self):
        with open(self.output.name, errors="replace") as f:
            return f.read()

    def exec(self, *arguments):
        r = subprocess.run(["nsenter", "--target", str(self.pid), "--mount", "--pid", "--root", PROGRAM, *arguments],
                           env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE)
        assert r.returncode == 0, "%s: %d %s%s\n%s" % (arguments, r.returncode, r.stdout, r.stderr, self.said())
        return r.stdout

    def status(self):
        return json.loads(self.exec("status", "shop", "--json"))

    def worker(self):
        """The serving one's PID as it is known here."""
        serving = [w["pid"] for w in self.status()["workers"] if w["state"] == "ready"]
        for pid in children(self.pid):
            with open("/proc/%d/status" % pid) as f:
                if [int(line.split()[-1]) for line in f if line.startswith("NSpid:")] == serving:
                    return pid
        raise AssertionError(serving)

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.manager.close()
        self.output.close()


class Bundle(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.static = compiled("musl-gcc", "-static")

    def start(self, image, *options, **more):
        container = Container(image, *options, **more)
        self.addCleanup(container.close)
        return container

    def serves_reloads_and_stops(self, image, *options, command=("/server", "8080")):
        before = files_below(image.root)
        container = self.start(image, *options, "--", *command)
        self.assertRegex(ask(ADDRESS), r"pid \d+")
        outside = {path for path in image.mapped(container.pid) if not path.startswith("/opt/graced/")}
        self.assertEqual(outside, set())
        self.assertIn("/opt/graced/lib/libsystemd.so.0", image.mapped(container.pid))

        worker = container.worker()
        self.assertEqual({path for path in image.mapped(worker) | image.descriptors(worker) if path.startswith("/opt/graced/")}, set())
        with open("/proc/%d/environ" % worker) as f:
            environment = dict(each.split("=", 1) for each in f.read().split("\0") if each)
        self.assertEqual({name: value for name, value in environment.items() if not name.startswith(GRACED_SAYS)}, ENVIRONMENT)
        self.assertNotIn("/opt/graced", " ".join(environment.values()))

        failed, answered, enough = [], [0], threading.Event()

        def client():
            while not enough.is_set():
                try:
                    answered[0] += "pid" in ask(ADDRESS)
                except OSError as e:
                    failed.append(e)
        thread = threading.Thread(target=client)
        thread.start()
        try:
            for generation in (2, 3):
                container.exec("reload", "shop")
                self.assertEqual(container.status()["serving"], generation)
        finally:
            enough.set()
            thread.join()
        self.assertEqual(failed, [])
        self.assertGreater(answered[0], 0)
        self.assertNotEqual(container.worker(), worker)
        self.assertEqual(container.stop(), 0, container.said())
        os.unlink(image.root + "/manager")
        self.assertEqual([path for path in files_below(image.root) if path not in before and not path.endswith("/run")], [])

    def test_beside_a_static_server_and_nothing_else(self):
        self.serves_reloads_and_stops(Image(self.static))

    def test_the_same_with_a_socket_that_graced_binds(self):
        self.serves_reloads_and_stops(Image(self.static), "-l", "127.0.0.1:8080,name=http", "--drain", "idle", command=("/server", "fd:{fd:http}"))

    def test_where_musl_is_the_c_library(self):
        image = Image(compiled("musl-gcc"))
        loader = glob.glob("/lib/ld-musl-*.so.1")[0]
        image.copy(loader)
        self.serves_reloads_and_stops(image)

    def test_where_another_glibc_has_its_own_cache_and_paths(self):
        server = compiled("cc")
        image = Image(server)
        for line in run("ldd", server).splitlines():
            path = next((word for word in line.split() if word.startswith("/")), None)
            if path:
                image.copy(path)
        image.put("/etc/passwd", "")
        run("ldconfig", "-r", image.root)
        self.serves_reloads_and_stops(image)

    def test_libraries_of_the_same_names_that_the_image_has_mislead_nobody(self):
        image = Image(self.static)
        for name in os.listdir(image.root + "/opt/graced/lib"):
            image.put("/lib/" + name, "another one's")  # where LD_LIBRARY_PATH leads
        self.serves_reloads_and_stops(image)

    def test_a_user_by_number_needs_no_file_and_one_by_name_only_passwd(self):
        for user, passwd in (("1234", None), ("shop", "shop:x:1234:1234::/:\n")):
            with self.subTest(user=user):
                image = Image(self.static)
                if passwd:
                    image.put("/etc/passwd", passwd)
                container = self.start(image, "--user", user, "--", "/server", "8080")
                with open("/proc/%d/status" % container.worker()) as f:
                    told = dict(line.rstrip().split(":\t", 1) for line in f if ":\t" in line)
                self.assertEqual((told["Uid"].split(), told["Gid"].split()), (["1234"] * 4, ["1234"] * 4))
                self.assertEqual(container.stop(), 0)

    def test_as_an_ordinary_user_it_needs_a_place_for_its_control_socket(self):
        image = Image(self.static)
        os.makedirs(image.root + "/run/graced")
        os.chown(image.root + "/run/graced", 1234, 1234)
        container = self.start(image, "--", "/server", "8080", environment={**ENVIRONMENT, "GRACED_CONTROL": "/run/graced/control"},
                               become=("--setgid", "1234", "--setuid", "1234"))
        self.assertIn("generation 2", container.exec("reload", "--control", "/run/graced/control"))
        self.assertRegex(ask(ADDRESS), r"pid \d+")
        self.assertEqual(container.stop(), 0)

    def test_check_misses_nothing(self):
        image = Image(self.static)
        container = self.start(image, "--", "/server", "8080")
        said = container.exec("check", "--", "/server", "8081")
        self.assertNotIn("libsystemd", said)
        self.assertIn("adoption   possible", said)

    def test_it_is_small_and_has_the_licences_of_what_is_in_it(self):
        self.assertLess(int(run("du", "--summarize", "--block-size=1", BUNDLE + "/opt").split()[0]), 15_000_000)
        licences = BUNDLE + "/opt/graced/licences"
        with open(licences + "/packages") as f:
            packages = {line.split()[0] for line in f}
        self.assertLessEqual({"libc6", "libsystemd0", "libcap2", "libgcrypt20", "libfmt-dev", "libseccomp-dev"}, packages)
        self.assertLessEqual({*packages, "graced", "common-licenses"}, set(os.listdir(licences)))
        self.assertIn("LGPL-2.1", os.listdir(licences + "/common-licenses"))

    def test_the_tarball_unpacked_in_opt_is_the_same(self):
        tarball, = glob.glob(BUNDLE + "/graced-*-linux-*.tar.gz")
        with tempfile.TemporaryDirectory() as opt:
            with tarfile.open(tarball) as t:
                self.assertEqual({(member.uid, member.gid, member.mode & 0o7022) for member in t}, {(0, 0, 0)})
                t.extractall(opt)
            run("diff", "--recursive", opt, BUNDLE + "/opt")


if __name__ == "__main__":
    missing = [program for program in ("musl-gcc", "cc", "nsenter") if not shutil.which(program)]
    if missing:
        print("skipped: not installed: " + ", ".join(missing))
        sys.exit(77)
    unittest.main(verbosity=2)
