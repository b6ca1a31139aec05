"""A file system that does not answer, as one of a server that is down."""
import os, shutil, signal, subprocess, unittest

from harness import Case, PATIENCE, WORKER, main, wait_until

ROOT = os.geteuid() == 0 and os.path.exists("/dev/fuse") and shutil.which("bindfs")


@unittest.skipUnless(ROOT, "needs root, /dev/fuse and bindfs")
class HangingDisk(Case):
    def setUp(self):
        super().setUp()
        os.chmod(self.directory, 0o755)
        self.disk = self.path("disk")
        for directory in ("below/place", "disk"):
            os.makedirs(self.path(directory))
        # Nothing is remembered of it, so that each look has to be answered.
        never = "allow_other,entry_timeout=0,attr_timeout=0,negative_timeout=0"
        self.server = subprocess.Popen(["bindfs", "-f", "-o", never, self.path("below"), self.disk], stdin=subprocess.DEVNULL)
        self.addCleanup(self.unmount)
        wait_until(lambda: os.path.ismount(self.disk))

    def unmount(self):
        self.answers_again()
        subprocess.run(["umount", "--lazy", self.disk], check=True, timeout=PATIENCE)
        self.server.wait(PATIENCE)

    def hangs(self):
        self.server.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.server.pid, os.WSTOPPED | os.WNOWAIT)

    def answers_again(self):
        self.server.send_signal(signal.SIGCONT)

    def assert_reload_fails_and_nothing_else(self, g, what, how):
        self.soon("generation 1 ", g.ask)  # it has read what it is made of
        self.hangs()
        reload = self.reloading(g)
        wait_until(lambda: g.status()["phase"] == "reloading", g.said)  # and it is told at once
        self.assertIn("generation 1 ", g.ask())
        _, why = reload.communicate(timeout=PATIENCE)
        self.assertEqual(reload.returncode, 1, why)
        self.assertIn("not prepared within 8s: %s could not be %s in that time" % (what, how), why)
        self.assertIn("generation 1 ", g.ask())
        self.answers_again()
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.soon("generation 3 ", g.ask)
        self.assertEqual(g.end(), 0)

    def on_disk(self, name, text, mode=0o644):
        self.write("below/" + name, text, mode)
        return os.path.join(self.disk, name)

    def started(self, *options, **more):
        return self.serving("--ready", "after:0s", "--ready-timeout", "8s", *options, **more)

    def test_the_directory_that_graced_was_started_in_fails_the_reload_and_is_named(self):
        place = os.path.join(self.disk, "place")
        g = self.started(env={"PWD": place}, preexec=lambda: os.chdir(place))
        self.assert_reload_fails_and_nothing_else(g, "the directory that graced was started in, %s," % place, "found")

    def test_a_file_of_options_fails_the_reload_and_is_named(self):
        for option, text in (("--config", "env = A=1\n"), ("--env-file", "A=1\n")):
            with self.subTest(option):
                file = self.on_disk("options", text)
                self.assert_reload_fails_and_nothing_else(self.started(option, file, name=option[2:]), file, "read")

    def test_the_program_fails_the_reload_and_is_named(self):
        program = self.on_disk("app", '#!/bin/sh\nexec "%s" ready serve\n' % WORKER, 0o755)
        g = self.graced("--ready", "after:0s", "--ready-timeout", "8s", command=(program,))
        self.assert_reload_fails_and_nothing_else(g, program, "found")

    def test_status_tells_what_was_changed_on_a_disk_that_answers_and_is_told_while_it_hangs(self):
        program = self.on_disk("app", '#!/bin/sh\nexec "%s" ready serve\n' % WORKER, 0o755)
        g = self.graced(command=(program,))
        self.on_disk("app", "#!/bin/sh\n", 0o755)
        self.assertTrue(g.status()["executable_replaced"] or g.status()["changed_files"], g.status())
        self.hangs()
        for _ in range(3):
            self.assertEqual(g.status()["phase"], "serving", g.said())
        self.assertEqual(g.end(), 0)  # and a stop is no matter of the disk

    def test_the_directory_of_workers_fails_the_reload_and_is_named(self):
        g = self.started("--chdir", os.path.join(self.disk, "place"))
        self.assert_reload_fails_and_nothing_else(g, WORKER, "found")


if __name__ == "__main__":
    main()
