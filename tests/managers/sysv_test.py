"""graced started by an init script, as packaging/examples/sysv has it: it goes into the background by itself."""
import os, shutil, signal
from managed import Managed, alive, ask, main, wait_until


class SysV(Managed):
    def setUp(self):
        super().setUp()
        # The script asks for it by name, so it is where names are looked up.
        self.name = "shop-%d" % os.getpid()
        os.mkdir(self.path("run"), 0o700)
        self.env["XDG_RUNTIME_DIR"] = self.path("run")
        self.place = os.path.join("/run" if os.geteuid() == 0 else self.path("run"), "graced", self.name)
        self.env["GRACED_CONTROL"] = self.place + "/control"
        self.pid_file = self.path("pid")
        self.script = self.write("script", self.example("sysv/shop", **{
            "name=shop": "name=" + self.name, "/run/shop.pid": self.pid_file, "PATH=/usr/": "PATH=%s:/usr/" % self.path("bin")}), 0o755)
        self.addCleanup(self.end)

    def end(self):
        for pid in self.left():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.left())
        shutil.rmtree(self.place, ignore_errors=True)

    def init(self, word, ok=True):
        return self.run_in(self.script, word, ok=ok)

    def pid(self):
        with open(self.pid_file) as f:
            return int(f.read())

    def test_it_serves_when_start_comes_back_and_reloads_with_its_pid_unchanged(self):
        self.init("start")
        self.assertIn("generation 1", ask(self.address))
        pid = self.reload_loop(lambda: self.init("reload"), self.pid)
        self.init("start")  # once more is no harm
        self.assertEqual(self.pid(), pid)
        self.assertIn("serving generation", self.init("status").stdout)
        self.init("stop")
        self.assertFalse(alive(pid))
        self.assertFalse(os.path.exists(self.pid_file))
        self.init("stop")
        self.assertEqual(self.left(), [])

    def test_it_is_upgraded_in_place_and_keeps_its_pid_file(self):
        self.init("start")
        pid = self.upgrade_loop(lambda: self.init("reload"), self.pid, lambda: os.stat(self.pid_file).st_ino)
        self.init("start")  # it runs
        self.assertEqual(self.pid(), pid)
        self.init("stop")
        self.assertFalse(alive(pid))
        self.assertFalse(os.path.exists(self.pid_file))

    def test_a_start_that_fails_says_why_and_leaves_nothing(self):
        self.serve("say=no-database", "exit=3")
        r = self.init("start", ok=False)
        self.assertEqual(r.returncode, 1, r.stderr)
        self.assertIn("exited with status 3", r.stderr)
        self.assertFalse(os.path.exists(self.pid_file))
        wait_until(lambda: not self.left())

    def test_a_reload_that_fails_says_why(self):
        self.init("start")
        self.serve("say=no-database", "exit=3")
        r = self.init("reload", ok=False)
        self.assertEqual(r.returncode, 1)
        self.assertIn("no-database", r.stderr)
        self.assertIn("generation 1", ask(self.address))
        self.init("stop")

    def test_a_stop_lets_workers_finish(self):
        self.env["LEAVE_FILE"] = self.path("leave")
        self.serve("ready", "serve-late")
        self.init("start")
        self.stop_finishes_what_is_under_way([self.script, "stop"], self.pid())

    def test_a_restart_is_a_stop_and_a_start(self):
        self.init("start")
        pid = self.pid()
        self.init("restart")
        self.assertNotEqual(self.pid(), pid)
        self.assertIn("generation 1", ask(self.address))
        self.init("stop")


if __name__ == "__main__":
    main()
