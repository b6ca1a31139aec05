"""What becomes of the UDP sockets of graced@demo when graced ends and another one follows."""
import os, signal
from machine import Case, main, read, wait_until, write
from datagram_flows import Flows

# Answers as the one of the other tests does, and finishes on the drain signal.
ECHO = '''#!/usr/bin/python3 -B
import os, select, signal, socket, sys
if os.environ.get("LISTEN_FDS"):
    s = socket.socket(fileno=3)
else:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 8080))
s.setblocking(False)
told, tells = os.pipe()
os.set_blocking(tells, False)
signal.set_wakeup_fd(tells)
leaving = []
signal.signal(signal.SIGTERM, lambda *_: leaving.append(True))
while not leaving:
    select.select([s, told], [], [])
    try:
        text, client = s.recvfrom(2048)
    except BlockingIOError:
        continue
    s.sendto(b"%d %s %s" % (os.getpid(), os.environ["GRACED_GENERATION"].encode(), text), client)
'''
LISTEN = "listen = udp:127.0.0.1:8080"


class Datagrams(Case):
    def start(self, *lines):
        echo = "/usr/local/lib/graced-tests/echo.py"
        write(echo, ECHO)
        os.chmod(echo, 0o755)
        write(self.config, "\n".join(["command = " + echo, *lines]) + "\n")
        r = self.systemctl("start", self.unit, ok=False)
        self.assertEqual(r.returncode, 0, r.stderr + self.journal())
        flows = Flows(self.address, 10, pause=0.1)
        self.addCleanup(flows.over.set)
        self.answered(flows)
        return flows

    def answered(self, flows):
        """All of them, by whoever serves now."""
        serving = lambda: [w["pid"] for w in self.status()["workers"] if w["state"] == "ready"]
        wait_until(lambda: self.show("ActiveState") == "active", self.journal)
        pids = serving()
        wait_until(lambda: all(flow.pid in pids for flow in flows.flows if flow.lasts), self.journal)

    def kill(self):
        restarts = int(self.show("NRestarts"))
        os.kill(self.main_pid(), signal.SIGKILL)
        wait_until(lambda: int(self.show("NRestarts")) > restarts, self.journal)

    def restart_and_kill(self, flows, lost_at_a_kill):
        for _ in range(2):
            self.systemctl("restart", self.unit)
            self.answered(flows)
        self.systemctl("reload", self.unit)
        self.systemctl("restart", self.unit)
        self.answered(flows)
        for _ in range(2):
            self.kill()
            self.answered(flows)
        flows.end()
        self.assertLessEqual(flows.lost(), 2 * lost_at_a_kill, "of %d\n%s" % (flows.sent(), self.journal()))

    def test_what_comes_to_a_socket_of_listen_waits_for_the_next_graced(self):
        flows = self.start(LISTEN)
        self.assertEqual(self.show("NFileDescriptorStore"), "1")
        self.restart_and_kill(flows, lost_at_a_kill=1)  # what a worker has read and not answered
        self.assertEqual(self.show("NFileDescriptorStore"), "1")

    def test_so_does_what_comes_to_a_server_that_gets_the_socket_of_listen_where_it_binds(self):
        flows = self.start(LISTEN, "adopt = on")
        self.restart_and_kill(flows, lost_at_a_kill=1)

    def test_workers_that_outlive_graced_are_heard_until_the_next_one_serves(self):
        self.drop_in(read("/usr/share/doc/graced/examples/systemd/keep-workers.conf"))
        flows = self.start(LISTEN, "stderr = inherit")
        old = self.status()["workers"][0]["pid"]
        self.kill()
        wait_until(lambda: not os.path.exists("/proc/%d" % old), self.journal)
        self.answered(flows)
        flows.end()
        self.assertEqual(flows.lost(), 0, self.journal())


if __name__ == "__main__":
    main()
