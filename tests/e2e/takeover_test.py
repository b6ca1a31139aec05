"""A server that was started by hand, and knows nothing of graced, is taken over: no client notices, and if its
successor fails the server has noticed nothing either."""
import json, os, signal, subprocess
import own_network
from adoption_test import BINDER, Adopted
from harness import NOBODY, NO_PRIVILEGE, PATIENCE, alive, ask, become_nobody, main, wait_until
from listening import shown, sockets_of
from own_network import free_port
from schema import assert_valid

HARD = ("refused", "reset", "eof", "partial", "timeout", "http", "body", "local")


def setUpModule():
    own_network.enter()


def answers(address):
    try:
        return ask(address)
    except OSError:
        return ""


class TakeoverCase(Adopted):
    def by_hand(self, *habits, preexec=None, within=(), env=None):
        """Somebody's server, which listens on the last address of its habits."""
        # Of no session of the test's: what a shell has started.
        p = subprocess.Popen([*within, BINDER, *habits], cwd=self.directory, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             env={**os.environ, **(env or {})}, preexec_fn=preexec, start_new_session=True)
        self.addCleanup(self.end_group, p)
        for habit in habits:
            if habit.startswith("tcp:"):
                host, _, port = habit[4:].rpartition(":")
                wait_until(lambda: "generation 0" in answers((host.strip("[]") or "127.0.0.1", int(port))))
        return p

    def is_gone(self, process, g):
        self.assertIsNotNone(process.wait(PATIENCE), g.said())

    def loads(self, port):
        """Short connections, kept ones with pauses, and kept ones that nobody uses."""
        where = "127.0.0.1:%d" % port
        found = [self.load("--clients", "2", "--pause", "5ms", where),
                 self.load("--keep-alive", "--clients", "8", "--pause", "300ms", where)]
        idle = [self.talk(("127.0.0.1", port)) for _ in range(20)]
        for connection in idle:
            self.assertIn("generation 0", connection.said())
        return found, idle

    def assert_no_hard_failure(self, loads, g):
        for load in loads:
            r = self.report(load)
            self.assertEqual({kind: r["failures"][kind] for kind in HARD if r["failures"][kind]}, {}, "%s\n%s" % (r, g.said()))
            self.assertGreaterEqual(r["answered"], 8)  # each client at least once

    def socket_of(self, process, port):
        """What a server's listening socket is like: inode, owner, SO_REUSEPORT."""
        for address, *rest in sockets_of(process.pid):
            if address[1] == port:
                return tuple(rest)
        raise AssertionError("nothing listens on %d" % port)

    def taken_under_load(self, old, port, target=None, options=(), **more):
        loads, idle = self.loads(port)
        g = self.adopted("tcp:%d" % port, options=("--take", target or str(old.pid), "--drain-idle", "200ms", *options), **more)
        self.assertIn("generation 1", ask(("127.0.0.1", port)))
        for connection in idle:
            self.assertEqual(connection.socket.recv(100), b"", g.said())  # not ECONNRESET
        self.is_gone(old, g)
        for generation in 2, 3, 4:
            r = g.reload()
            self.assertEqual(r.returncode, 0, r.stderr + g.said())
            self.assertIn("generation %d" % generation, ask(("127.0.0.1", port)))
        self.assert_no_hard_failure(loads, g)
        return g


class Takeover(TakeoverCase):
    def test_a_server_started_by_hand_is_taken_and_no_client_notices(self):
        port = free_port()
        old = self.by_hand("tcp:%d" % port)
        g = self.taken_under_load(old, port)
        self.assertEqual(g.status()["pid"], g.pid)
        self.assertEqual(g.end(), 0)
        self.assert_nothing_left(g)

    def test_it_is_found_by_its_address(self):
        port = free_port()
        old = self.by_hand("tcp:%d" % port)
        self.taken_under_load(old, port, "tcp:%d" % port)

    def test_eight_clients_that_connect_back_to_back_do_not_notice(self):
        port = free_port()
        old = self.by_hand("tcp:%d" % port)
        load = self.load("--clients", "8", "127.0.0.1:%d" % port)
        g = self.adopted("tcp:%d" % port, options=("--take", str(old.pid)))
        self.is_gone(old, g)
        self.assert_no_hard_failure([load], g)

    def test_a_server_of_another_user_is_taken(self):
        port = free_port()
        os.chmod(self.directory, 0o755)
        old = self.by_hand("tcp:%d" % port, preexec=become_nobody)
        self.taken_under_load(old, port)

    def test_an_ordinary_user_takes_a_server_of_his_own(self):
        port = free_port()
        old = self.by_hand("tcp:%d" % port, preexec=self.as_nobody)
        self.taken_under_load(old, port, preexec=self.as_nobody)

    def test_somebody_without_any_privilege_takes_a_server_of_his_own(self):
        port = free_port()
        os.chown(self.directory, NOBODY, NOBODY)
        old = self.by_hand("tcp:%d" % port, within=NO_PRIVILEGE)
        self.taken_under_load(old, port, preexec=self.as_nobody)

    def test_connections_in_flight_are_finished_by_the_old_one(self):
        port = free_port()
        old = self.by_hand("tcp:%d" % port)
        busy = self.talk(("127.0.0.1", port))
        self.assertIn("generation 0", busy.said())
        busy.socket.sendall(b"GET / HTTP/1.1\r\n")  # the rest comes later
        g = self.adopted("tcp:%d" % port, options=("--take", str(old.pid)))
        self.assertIn("generation 1", ask(("127.0.0.1", port)))
        worker = wait_until(lambda: [w for w in g.workers() if w["pid"] == old.pid and w["connections"]], g.said)[0]
        self.assertEqual((worker["generation"], worker["state"]), (0, "draining"))
        self.assertIn("PID %d" % old.pid, worker["waits_for"])
        assert_valid("status", g.status())
        self.assertIn("PID %d" % old.pid, g.run("status").stdout)
        busy.socket.sendall(b"Host: x\r\n\r\n")
        self.assertIn("generation 0", busy.answer())
        self.assertIsNone(old.poll())
        busy.close()
        self.is_gone(old, g)
        self.assertEqual([w["generation"] for w in g.workers()], [1])

    def test_what_happened_is_told(self):
        port = free_port()
        old = self.by_hand("tcp:%d" % port)
        g = self.adopted("tcp:%d" % port, options=("--take", str(old.pid)))
        self.is_gone(old, g)
        told = assert_valid("history", json.loads(g.run("history", "--json").stdout))
        taken, = [e for e in told["history"] if e["event"] == "taken"]
        self.assertEqual((taken["generation"], taken["worker_pid"]), (1, old.pid))
        self.assertIn("PID %d (" % old.pid, taken["reason"])
        self.assertIn("generation 1 serves in the place of PID %d" % old.pid, g.run("history").stdout)
        wait_until(lambda: "has ended" in g.said())

    def test_a_reload_and_a_start_where_nothing_is_to_be_taken_do_as_ever(self):
        port = free_port()
        g = self.adopted("tcp:%d" % port, options=("--take", "tcp:%d" % port))
        self.assertIn("generation 1", ask(("127.0.0.1", port)))
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.assertIn("generation 2", ask(("127.0.0.1", port)))
        self.assertIn("nothing is taken over", g.said())

    def test_what_it_has_started_leaves_with_it(self):
        port = free_port()
        old = self.by_hand("tcp:%d" % port, "fork")
        child = int(ask(("127.0.0.1", port)).split()[1])
        self.assertNotEqual(child, old.pid)
        g = self.adopted("tcp:%d" % port, options=("--take", str(old.pid)))
        self.is_gone(old, g)
        wait_until(lambda: not alive(child), g.said)
        wait_until(lambda: len(g.workers()) == 1, g.said)

    def test_a_command_ends_it_where_somebody_else_manages_it(self):
        port = free_port()
        old = self.by_hand("tcp:%d" % port)
        stop = self.write("stop", '#!/bin/sh\necho "$GRACED_EVENT $1" >>"%s"\nkill -INT $1\n' % self.path("stopped"), 0o755)
        g = self.adopted("tcp:%d" % port, options=("--take", str(old.pid), "--take-stop", "%s %d" % (stop, old.pid)))
        self.is_gone(old, g)
        with open(self.path("stopped")) as f:
            self.assertEqual(f.read(), "taken %d\n" % old.pid)
        wait_until(lambda: len(g.workers()) == 1, g.said)

    def test_who_manages_one_that_died_before_the_switch_is_told_as_well(self):
        """Or it would be started again and again, and find its address in use."""
        port = free_port()
        old = self.by_hand("tcp:%d" % port)
        go = self.path("go")
        g = self.graced("--take", str(old.pid), "--take-stop", "touch " + self.path("stopped"), options=(),
                        command=(BINDER, "late:" + go, "tcp:%d" % port), wait=False)
        wait_until(lambda: "started:" in g.said())
        old.kill()
        old.wait()
        self.write("go", "")
        g.wait("READY=1")
        wait_until(lambda: os.path.exists(self.path("stopped")), g.said)


class GivenBack(TakeoverCase):
    def is_as_before(self, old, ports, before):
        self.assertIsNone(old.poll())
        self.assertEqual(([self.socket_of(old, p) for p in ports], shown()), before)
        for port in ports:
            self.assertIn("generation 0", ask(("127.0.0.1", port)))

    def state(self, old, *ports):
        return [self.socket_of(old, p) for p in ports], shown()

    def fails(self, old, ports, *command, options=(), signo=None, code=1, name="bad", **more):
        before = self.state(old, *ports)
        g = self.graced("--take", str(old.pid), *options, options=(), command=command, wait=False, name=name, **more)
        if signo:
            wait_until(lambda: "started:" in g.said())
            g.signal(signo)
        self.assertEqual(g.process.wait(PATIENCE), code, g.said())
        self.assertIn("PID %d (" % old.pid, g.said())
        self.assertIn("serves on, as before", g.said())
        self.is_as_before(old, ports, before)
        return g

    def test_a_bad_build_changes_nothing_and_a_second_try_works(self):
        port = free_port()
        old = self.by_hand("tcp:%d" % port)
        loads, _ = self.loads(port)
        g = self.fails(old, [port], BINDER, "tcp:%d" % port, "exit")
        self.assertIn("exited with status 1", g.said())
        self.fails(old, [port], self.path("is-not-there"), name="missing")
        self.assert_no_hard_failure(loads, g)
        self.taken_under_load(old, port)

    def test_a_build_that_listens_and_fails_then_changes_nothing(self):
        port = free_port()
        old = self.by_hand("tcp:%d" % port)
        loads, _ = self.loads(port)
        probe = self.write("probe", "#!/bin/sh\nexit 1\n", 0o755)
        g = self.fails(old, [port], BINDER, "tcp:%d" % port, options=("--probe", "exec:" + probe, "--ready-timeout", "20s"))
        self.assert_no_hard_failure(loads, g)
        self.taken_under_load(old, port)

    def test_a_server_of_another_user_has_its_owner_back(self):
        port = free_port()
        os.chmod(self.directory, 0o755)
        old = self.by_hand("tcp:%d" % port, preexec=become_nobody)
        self.assertEqual(self.socket_of(old, port)[1:], (NOBODY, 0))
        self.fails(old, [port], BINDER, "tcp:%d" % port, "exit")
        self.taken_under_load(old, port)

    def test_somebody_without_any_privilege_gives_back_as_well(self):
        port = free_port()
        os.chown(self.directory, NOBODY, NOBODY)
        old = self.by_hand("tcp:%d" % port, within=NO_PRIVILEGE)
        self.fails(old, [port], BINDER, "tcp:%d" % port, "exit", preexec=self.as_nobody)
        self.taken_under_load(old, port, preexec=self.as_nobody)

    def test_an_address_that_the_candidate_does_not_bind_is_waited_for(self):
        ports = free_port(), free_port()
        old = self.by_hand(*("tcp:%d" % p for p in ports))
        late = self.path("never")
        g = self.fails(old, ports, BINDER, "tcp:%d" % ports[0], "late:" + late, "tcp:%d" % ports[1], options=("--ready-timeout", "10s"))
        self.assertIn("nothing listens on tcp 127.0.0.1:%d, which the server that is to be taken over serves" % ports[1], g.said())

    def test_a_stop_before_the_switch_gives_back(self):
        port = free_port()
        old = self.by_hand("tcp:%d" % port)
        self.fails(old, [port], BINDER, "late:" + self.path("never"), "tcp:%d" % port, signo=signal.SIGTERM, code=0)
        self.taken_under_load(old, port)

    def test_one_that_dies_before_the_switch_leaves_its_clients_waiting_for_the_next(self):
        port = free_port()
        old = self.by_hand("tcp:%d" % port)
        go = self.path("go")
        g = self.graced("--take", str(old.pid), options=(), command=(BINDER, "late:" + go, "tcp:%d" % port), wait=False)
        wait_until(lambda: "started:" in g.said())
        old.kill()
        old.wait()
        wait_until(lambda: "has ended by itself" in g.said(), g.said)
        waiting = self.talk(("127.0.0.1", port))
        waiting.ask()
        self.write("go", "")
        g.wait("READY=1")
        self.assertIn("generation 1", waiting.answer())
        self.assertEqual(g.reload().returncode, 0, g.said())

    def test_a_graced_that_is_killed_before_the_switch_leaves_the_server_to_its_clients_and_to_the_next(self):
        port = free_port()
        old = self.by_hand("tcp:%d" % port)
        load = self.load("--clients", "2", "--pause", "5ms", "127.0.0.1:%d" % port)
        g = self.graced("--take", str(old.pid), options=(), name="killed", wait=False,
                        command=(BINDER, "tcp:%d" % port, "late:" + self.path("never"), "tcp:%d" % free_port()))
        wait_until(lambda: "started:" in g.said())  # until then nobody may listen at the control socket
        candidate = [w for w in g.workers() if w["generation"] == 1][0]["pid"]
        wait_until(lambda: len(shown()) == 2, g.said)  # it listens beside the server
        g.process.kill()
        g.process.wait()
        self.assertIn("generation 0", ask(("127.0.0.1", port)))
        os.kill(candidate, signal.SIGKILL)
        wait_until(lambda: not alive(candidate))
        self.assertIn("generation 0", ask(("127.0.0.1", port)))
        self.assert_no_hard_failure([load], g)
        self.taken_under_load(old, port)

    def test_what_cannot_be_adopted_cannot_be_taken(self):
        port = free_port()
        self.by_hand("tcp:%d" % port)
        self.assert_refused("--take", "run", "--take", "tcp:%d" % port, "--adopt", "off", "--", BINDER, "tcp:%d" % port)


if __name__ == "__main__":
    main()
