"""Each generation has a cgroup: what it uses is known, and nothing of it outlives the hammer."""
import os
from machine import SERVER, Case, ask, main, run, wait_until, write

TOP = "/sys/fs/cgroup"


class Cgroups(Case):
    def cgroup(self):
        return TOP + self.show("ControlGroup")

    def of(self, pid):
        with open("/proc/%d/cgroup" % pid) as f:
            return next(line[3:].strip() for line in f if line.startswith("0::"))

    def test_each_generation_has_its_own_and_takes_it_along(self):
        pid = self.start()
        top = self.show("ControlGroup")
        self.assertEqual(self.of(pid), top + "/supervisor")
        self.assertEqual(self.of(self.status()["workers"][0]["pid"]), top + "/generation.1")
        used = self.status()["generations"]
        self.assertEqual([g["generation"] for g in used], [1])
        self.assertGreater(used[0]["cpu_s"], 0)
        with open(TOP + top + "/cgroup.controllers") as f:
            self.assertEqual(used[0]["memory"] is not None, "memory" in f.read())
        self.assertRegex(run("graced", "status", "demo").stdout, "uses +generation 1: .*of CPU")

        self.systemctl("reload", self.unit)
        wait_until(lambda: not os.path.exists(TOP + top + "/generation.1"))
        self.assertEqual(self.of(self.status()["workers"][-1]["pid"]), top + "/generation.2")
        self.systemctl("stop", self.unit)
        self.assertFalse(os.path.exists(TOP + top))

    def test_who_hides_from_everything_else_is_found(self):
        # A child with a session and no environment of its own, whose parent is gone.
        write("/run/hide.py", "import os, subprocess, sys\n"
              "if os.fork() == 0:\n"
              "    os.setsid()\n"
              "    if os.fork() == 0: os.execve('/usr/bin/sleep', ['sleep', '1000'], {})\n"
              "    os._exit(0)\n"
              "os.wait()\n"
              "os.execv(sys.argv[1], sys.argv[1:])\n")
        self.configure("listen = 127.0.0.1:8080", "drain-timeout = 500ms")
        with open(self.config) as f:
            text = f.read()
        write(self.config, text.replace("command = ", "command = /usr/bin/python3 /run/hide.py "))
        self.systemctl("start", self.unit)
        procs = self.cgroup() + "/generation.1/cgroup.procs"
        with open(procs) as f:
            self.assertEqual(len(f.read().split()), 2)
        self.systemctl("reload", self.unit)
        wait_until(lambda: not os.path.exists(procs), self.journal)
        self.assertIn("build a", ask(self.address))

    def test_a_failed_candidate_leaves_none(self):
        self.start()
        self.build("broken")
        self.systemctl("reload", self.unit, ok=False)
        wait_until(lambda: not os.path.exists(self.cgroup() + "/generation.2"))
        self.assertTrue(os.path.exists(self.cgroup() + "/generation.1"))

    def test_a_limit_for_those_that_drain(self):
        self.start("listen = 127.0.0.1:8080", "draining-memory-high = 64M")
        with open(self.cgroup() + "/cgroup.controllers") as f:
            if "memory" not in f.read():
                self.assertIn("draining-memory-high has no effect: the memory controller was not delegated", self.journal())
                self.skipTest("the memory controller is not in the v2 hierarchy of this machine")
        write(self.config, "command = %s /run/build deaf\nlisten = 127.0.0.1:8080\ndraining-memory-high = 64M\n"
              "stop-timeout = 0\n" % SERVER)
        self.systemctl("reload", self.unit)
        self.systemctl("reload", self.unit)
        with open(self.cgroup() + "/generation.2/memory.high") as f:
            self.assertEqual(f.read().strip(), str(64 << 20))
        with open(self.cgroup() + "/generation.3/memory.high") as f:
            self.assertEqual(f.read().strip(), "max")

    def test_without_delegation_there_are_process_groups_and_a_word_about_it(self):
        self.drop_in("[Service]\nDelegate=no\n")
        self.start("listen = 127.0.0.1:8080", "draining-memory-high = 64M")
        self.assertIn("draining-memory-high has no effect: the cgroup %s is not graced's to divide" % self.show("ControlGroup"),
                      self.journal())
        self.systemctl("reload", self.unit)
        self.assertEqual(self.status()["generations"], [])
        self.assertEqual(self.of(self.main_pid()), self.show("ControlGroup"))


if __name__ == "__main__":
    main()
