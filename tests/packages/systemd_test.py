"""The package under a real systemd: an upgrade under load restarts nothing, to remove it stops its units."""
import glob, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "systemd"))
from machine import Case, main, run, wait_until


def package(where):
    return glob.glob(os.environ[where] + "/graced_*.deb")[0]


class Packaged(Case):
    @classmethod
    def setUpClass(cls):
        run("dpkg", "--purge", "graced", ok=False)
        run("rm", "-f", "/var/lib/man-db/auto-update")

    def test_enabled_upgraded_reloaded_restarted_and_removed_under_load(self):
        run("dpkg", "--install", package("OLDER"))
        self.configure()
        self.systemctl("enable", "--now", self.unit)
        pid = self.main_pid()
        load = self.load()
        said = run("dpkg", "--install", package("PACKAGES")).stdout
        self.assertIn("demo still runs graced", said)
        self.assertIn("systemctl restart graced@NAME", said)
        self.assertEqual(self.main_pid(), pid)
        self.assertEqual(self.show("NRestarts"), "0")
        self.build("b")
        self.systemctl("reload", self.unit)
        wait_until(lambda: self.status()["serving"] == 2)
        self.assertEqual(self.main_pid(), pid)

        # As the upgrade said, in both ways.
        run("graced", "upgrade", "demo")
        self.assertTrue(os.path.samefile("/proc/%d/exe" % pid, "/usr/bin/graced"))
        self.assertEqual((self.main_pid(), self.show("NRestarts")), (pid, "0"))
        self.assertEqual(self.status()["serving"], 2)
        self.systemctl("restart", self.unit)
        self.assertNotEqual(self.main_pid(), pid)
        self.assert_well(load.report())
        run("dpkg", "--purge", "graced")
        self.assertEqual(self.show("ActiveState"), "inactive")
        self.assertIn("stopped as asked", self.journal())
        self.assertFalse(os.path.lexists("/etc/systemd/system/multi-user.target.wants/" + self.unit))


    def test_an_instance_that_has_opted_in_is_upgraded_with_the_package_under_load(self):
        run("dpkg", "--install", package("OLDER"))
        self.configure("listen = " + self.where, "self-upgrade = yes")
        self.systemctl("start", self.unit)
        pid = self.main_pid()
        seen = self.show("InvocationID"), self.show("ExecMainStartTimestampMonotonic"), self.show("NFileDescriptorStore")
        load = self.load()
        said = run("dpkg", "--install", package("PACKAGES")).stdout
        self.assertNotIn("still runs", said)
        self.assertTrue(os.path.samefile("/proc/%d/exe" % pid, "/usr/bin/graced"), said)
        self.build("b")
        self.systemctl("reload", self.unit)
        load.next_pid()
        self.assert_well(load.report())
        self.assertEqual((self.main_pid(), self.show("NRestarts")), (pid, "0"))
        self.assertEqual((self.show("InvocationID"), self.show("ExecMainStartTimestampMonotonic"), self.show("NFileDescriptorStore")), seen)
        run("dpkg", "--purge", "graced")


if __name__ == "__main__":
    main()
