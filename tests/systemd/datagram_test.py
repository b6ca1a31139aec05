"""What becomes of the UDP sockets of graced@demo when graced ends and another one follows."""
import os, signal
from machine import Case, main, read, wait_until, write
from datagram_flows import ECHO_THAT_FINISHES, Flows

LISTEN = "listen = udp:127.0.0.1:8080"


class Datagrams(Case):
    def start(self, *lines):
        echo = "/usr/local/lib/graced-tests/echo.py"
        write(echo, ECHO_THAT_FINISHES)
        os.chmod(echo, 0o755)
        write(self.config, "\n".join(["command = %s 127.0.0.1 8080" % echo, *lines]) + "\n")
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
        flows.end(patience=5)
        self.assertLessEqual(flows.lost(), 2 * lost_at_a_kill, "of %d\n%s" % (flows.sent(), self.journal()))

    def test_what_comes_to_a_socket_of_listen_waits_for_the_next_graced(self):
        flows = self.start(LISTEN)
        self.assertEqual(self.show("NFileDescriptorStore"), "1")
        self.restart_and_kill(flows, lost_at_a_kill=1)  # what a worker has read and not answered
        self.assertEqual(self.show("NFileDescriptorStore"), "1")

    def test_so_does_what_comes_to_a_server_that_gets_the_socket_of_listen_where_it_binds(self):
        flows = self.start(LISTEN, "adopt = on")
        self.restart_and_kill(flows, lost_at_a_kill=1)

    def outlive(self, *lines):
        self.drop_in(read("/usr/share/doc/graced/examples/systemd/keep-workers.conf"))
        flows = self.start("stderr = inherit", *lines)
        for _ in range(2):
            old = self.status()["workers"][0]["pid"]
            self.kill()
            wait_until(lambda: not os.path.exists("/proc/%d" % old), self.journal)
            self.answered(flows)
        flows.end(patience=5)
        return flows.lost()

    def test_workers_that_outlive_graced_are_heard_until_the_next_one_serves(self):
        self.assertEqual(self.outlive(LISTEN), 0, self.journal())

    def test_so_are_those_that_have_bound_the_address_themselves(self):
        # What waits there when one is told to leave is lost with its socket, which the next graced does not have.
        self.assertLessEqual(self.outlive(), 2, self.journal())

    def test_without_that_what_a_server_binds_itself_is_closed_for_a_moment(self):
        flows = self.start()
        self.assertEqual(self.show("NFileDescriptorStore"), "0")
        self.systemctl("restart", self.unit)
        self.answered(flows)
        self.systemctl("reload", self.unit)  # and is switched as ever
        self.answered(flows)
        flows.end(patience=0)


if __name__ == "__main__":
    main()
