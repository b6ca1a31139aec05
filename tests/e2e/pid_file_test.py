"""--pid-file: two instances that were given the same one, and files that are left over."""
import os, signal, subprocess
from harness import GRACED, PATIENCE, WORKER, Case, main, wait_until


class PidFile(Case):
    def test_the_same_pid_file_twice_is_refused_and_names_the_other_instance(self):
        path = self.path("pid")
        first = self.serving("--pid-file", path, name="first")
        r = self.run_graced("run", "--name", "second", "--control", self.path("second.control"), "--pid-file", path,
                            "-l", "127.0.0.1:0", "--", WORKER, "ready", "serve")
        self.assertEqual(r.returncode, 1)
        lines = r.stderr.strip().splitlines()
        self.assertEqual(len(lines), 1, r.stderr)
        for word in (path, "PID %d" % first.pid, "named 'first'", "--pid-file"):
            self.assertIn(word, lines[0])
        with open(path) as f:
            self.assertEqual(int(f.read()), first.pid)
        self.assertIn("generation 1", first.ask())
        self.assertEqual(first.end(), 0)
        self.assertFalse(os.path.exists(path))

    def test_of_many_that_start_at_once_with_one_pid_file_one_lives(self):
        path = self.path("pid")
        for text in (None, "4194000\n"):
            if text:
                self.write("pid", text)
            environment = {k: v for k, v in os.environ.items() if not k.startswith("GRACED_") and k != "NOTIFY_SOCKET"}
            many = [subprocess.Popen([GRACED, "run", "--name", "n%d" % n, "--control", self.path("n%d.control" % n), "--pid-file", path,
                                      "-l", "127.0.0.1:0", "--", WORKER, "ready", "serve"], env=environment, stderr=subprocess.PIPE,
                                     stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL) for n in range(6)]
            try:
                wait_until(lambda: sum(p.poll() is not None for p in many) == 5, lambda: "ended: %r" % [p.poll() for p in many])
                lives = next(p for p in many if p.poll() is None)
                with open(path) as f:
                    self.assertEqual(int(f.read()), lives.pid)
                self.assertEqual([p.returncode for p in many if p is not lives], [1] * 5)
                lives.terminate()
                self.assertEqual(lives.wait(PATIENCE), 0)
                self.assertFalse(os.path.exists(path))
            finally:
                for p in many:
                    if p.poll() is None:
                        p.terminate()
                        p.wait(PATIENCE)
                    p.stderr.close()

    def test_the_pid_file_of_a_killed_graced_is_replaced(self):
        path = self.path("pid")
        first = self.serving("--pid-file", path, name="first")
        worker = first.workers()[0]["pid"]
        os.kill(first.pid, signal.SIGKILL)
        first.process.wait()
        os.killpg(worker, signal.SIGKILL)
        second = self.serving("--pid-file", path, name="second")
        with open(path) as f:
            self.assertEqual(int(f.read()), second.pid)
        self.assertEqual(second.end(), 0)


if __name__ == "__main__":
    main()
