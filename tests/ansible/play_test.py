"""The recipe of packaging/ansible as an administrator plays it, with Debian's ansible-core and this machine as the one that it is
for, in the sandbox of tests/systemd."""
import glob, os, re, shutil, sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
if not shutil.which("ansible-playbook"):
    print("skipped: not installed: ansible-playbook (apt-get install ansible-core)", file=sys.stderr)
    sys.exit(77)
sys.path.insert(0, os.path.join(ROOT, "tests", "systemd"))
from machine import Case, ask, json, main, read, run, wait_until, write

PLAYBOOK = os.path.join(ROOT, "packaging", "ansible", "shop.yml")
HOSTS = "/run/hosts"
BUILDS = "/run/builds"
# What says "broken" says so on stderr, and ends.
SHOP = """#!/bin/sh
here=$(dirname "$0")
exec /usr/bin/python3 -SE "$here/server.py" "$here/text"
"""


class Play(Case):
    unit = "graced@shop.service"
    config = "/etc/graced/shop.conf"

    @classmethod
    def setUpClass(cls):
        run("dpkg", "--purge", "graced", ok=False)
        run("rm", "-f", "/var/lib/man-db/auto-update")
        write(HOSTS, "[shop]\nlocalhost ansible_connection=local ansible_python_interpreter=/usr/bin/python3\n")

    def clean(self):
        super().clean()
        for path in (self.config, "/srv/shop", BUILDS):
            run("rm", "-rf", path)

    def play(self, build, text=None, ok=True):
        """Of a build that answers with this text, its name if nothing is said; what Ansible said, and how often it changed something."""
        directory = os.path.join(BUILDS, build, "bin")
        if not os.path.exists(directory):
            write(directory + "/text", text or build)
            write(directory + "/shop", SHOP)
            os.chmod(directory + "/shop", 0o755)
            shutil.copy(os.path.join(ROOT, "tests", "systemd", "server.py"), directory)
        r = run("ansible-playbook", "--inventory", HOSTS, PLAYBOOK, "--extra-vars",
                "package=%s build=%s/%s" % (glob.glob(os.environ["PACKAGES"] + "/graced_*.deb")[0], BUILDS, build), ok=False,
                env={**os.environ, "ANSIBLE_NOCOLOR": "1", "HOME": "/root"})
        said = r.stdout + r.stderr
        self.assertEqual(r.returncode == 0, ok, said + self.journal())
        recap = re.search(r"changed=(\d+) .*failed=(\d+)", said)
        self.assertEqual(recap.group(2), "0" if ok else "1", said)
        return said, int(recap.group(1))

    def status(self):
        return json.loads(run("graced", "status", "shop", "--json").stdout)

    def serves(self, build):
        wait_until(lambda: "build %s " % build in ask(self.address), lambda: ask(self.address))

    def test_a_build_is_brought_and_one_more(self):
        said, _ = self.play("1", text="broken", ok=False)
        self.assertIn("graced runs: ", said)
        self.assertIn("this build is broken", said)
        self.assertIn(self.show("ActiveState"), ("inactive", "failed"))

        # Tried so often that systemd refuses any start.
        wait_until(lambda: self.systemctl("start", self.unit, ok=False) and "repeated too quickly" in self.journal(), self.journal)
        self.play("2")
        self.serves("2")
        self.assertEqual(self.show("UnitFileState"), "enabled")

        pid, load = self.main_pid(), self.load()
        self.play("3")
        self.serves("3")
        said, changed = self.play("3")
        self.assertEqual(changed, 0, said)
        self.assertEqual(self.status()["serving"], 2)

        # As if a play of 2 had been interrupted once it had written this.
        write(self.config, read(self.config).replace("/builds/3/", "/builds/2/"))
        said, changed = self.play("2")
        self.assertEqual(changed, 2, said)
        self.serves("2")
        self.assertEqual((self.main_pid(), self.status()["serving"]), (pid, 3))
        self.assert_well(load.report())

    def test_a_build_that_does_not_get_ready_fails_the_play_and_the_old_one_serves(self):
        self.play("1")
        pid, before, load = self.main_pid(), read(self.config), self.load()
        os.makedirs(BUILDS + "/2/bin")
        said, _ = self.play("2", ok=False)
        self.assertIn("/srv/shop/builds/2/bin/shop", said)
        self.assertIn("No such file or directory", said)
        self.assertEqual(self.status()["failed_reloads"], 0)

        for _ in range(2):  # again it is no better
            said, _ = self.play("3", text="broken", ok=False)
            self.assertIn("graced reloads: graced: reload of 'shop' failed: exited with status 1", said)
            self.assertIn("this build is broken", said)
            self.assertIn("generation 1 still serves", said)
            self.serves("1")
            self.assertEqual(read(self.config), before)

        said, changed = self.play("1")
        self.assertEqual(changed, 0, said)
        self.assertEqual((self.main_pid(), self.status()["serving"]), (pid, 1))
        self.assert_well(load.report())


if __name__ == "__main__":
    main()
