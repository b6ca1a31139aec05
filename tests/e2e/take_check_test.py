"""graced check --take says who would be taken over, how that would be ended, and what is in the way; and touches nothing."""
import os, signal, socket, subprocess, sys
from harness import Case, WORKER, main

SERVER = """
import socket, sys
listener = socket.socket()
if sys.argv[1] == "reuse":
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", 0))
listener.listen()
print(listener.getsockname()[1], flush=True)
kept = []
while True:
    kept.append(listener.accept())
    kept[-1][0].sendall(b"yes")
"""


class TakeCheck(Case):
    def server(self, how="reuse", **more):
        """One that knows nothing of graced: its process and port."""
        process = subprocess.Popen([sys.executable, "-SEc", SERVER, how], stdout=subprocess.PIPE, text=True, **more)

        def end():
            process.kill()
            process.communicate()

        self.addCleanup(end)
        return process, int(process.stdout.readline())

    def check(self, *arguments, code=0):
        r = self.run_graced("check", "--name", "n", "--control", self.path("c"), *arguments, "--", WORKER)
        self.assertEqual(r.returncode, code, r.stderr + r.stdout)
        return r

    def test_who_would_be_taken_over_and_how_it_would_be_ended(self):
        process, port = self.server()
        with open("/proc/%d/comm" % process.pid) as f:
            name = f.read().strip()
        for target in (str(process.pid), "tcp:%d" % port, "tcp:127.0.0.1:%d" % port):
            said = self.check("--take", target).stdout
            self.assertIn("Takeover of %s:\n" % target, said)
            self.assertRegex(said, r"it is +PID %d \(%s\), user %d\n" % (process.pid, name, os.geteuid()))
            self.assertRegex(said, r"listens on +tcp 127\.0\.0\.1:%d\n" % port)
            self.assertIn("is ended by SIGTERM\n", said)
        said = self.check("--take", str(process.pid), "--take-stop", "true 'it is'").stdout
        self.assertIn("is ended by true 'it is'\n", said)

    def test_nothing_to_take_is_no_reason_not_to_start(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            target = "tcp:%d" % s.getsockname()[1]
            self.assertIn("Takeover of %s: nothing listens on %s, so nothing is taken over.\n" % (target, target),
                          self.check("--take", target).stdout)

    def test_what_is_in_the_way_is_said_with_the_way_out(self):
        process, port = self.server("hard")
        with socket.create_connection(("127.0.0.1", port)) as client:
            self.assertEqual(client.recv(3), b"yes")
            said = self.check("--take", str(process.pid), code=1).stderr
        self.assertIn("tcp 127.0.0.1:%d was bound without SO_REUSEADDR" % port, said)
        self.assertIn("which takes 60 s", said)

    def test_what_ends_it_must_be_there(self):
        process, _ = self.server()
        said = self.check("--take", str(process.pid), "--take-stop", "graced-no-such-command", code=1).stderr
        self.assertIn("take-stop: ", said)
        self.assertIn("not found in PATH", said)

    def test_check_leaves_the_server_as_it_was(self):
        process, port = self.server()
        self.check("--take", str(process.pid))
        with socket.create_connection(("127.0.0.1", port)) as client:
            self.assertEqual(client.recv(3), b"yes")
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self.assertRaises(OSError, other.bind, ("127.0.0.1", port))
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(), -signal.SIGTERM)


if __name__ == "__main__":
    main()
