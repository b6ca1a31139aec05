"""Servers that bind their addresses themselves, know nothing of graced, and die at SIGTERM: reloaded all the
same, without a connection lost."""
import json, os, signal, socket, subprocess
import own_network
from harness import (Case, GRACED, HERE, Manager, PATIENCE, alive, ask, descriptors, for_everybody, main, wait_for_no_more_descriptors,
                     wait_until)
from own_network import free_port

BINDER = for_everybody(os.path.join(HERE, "binder.py"))


def ask_for_once(address):
    """Where a socket is shared the old generation may accept until its last moment; these servers have no manners."""
    try:
        return ask(address)
    except ConnectionError:
        return ""


def setUpModule():
    own_network.enter()


class Conversation:
    """A connection that is kept alive."""

    def __init__(self, address):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise

    def ask(self):
        self.socket.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

    def answer(self):
        text = b""
        while not text.endswith(b"\n") or b"\r\n\r\n" not in text:
            part = self.socket.recv(65536)
            if not part:
                return text.decode()
            text += part
        return text.partition(b"\r\n\r\n")[2].decode()

    def said(self):
        self.ask()
        return self.answer()

    def close(self):
        self.socket.close()


class Adopted(Case):
    def adopted(self, *habits, options=(), **more):
        return self.graced(*options, options=(), command=(BINDER, *habits), **more)

    def changing(self, *habits, options=(), **more):
        """As adopted(), but the habits of the next generation are what become() says."""
        self.become(*habits)
        return self.graced(*options, options=(), command=(self.reader(BINDER),), **more)

    def talk(self, address):
        c = Conversation(address)
        self.addCleanup(c.close)
        return c

    def draining(self, g):
        return [w for w in g.workers("draining")]


class Adoption(Adopted):
    def test_a_server_that_binds_its_own_port_is_reloaded(self):
        port = free_port()
        g = self.adopted("tcp:%d" % port)
        self.assertIn("generation 1", ask(("127.0.0.1", port)))
        old = g.workers()[0]["pid"]
        r = g.reload()
        self.assertEqual(r.returncode, 0, r.stderr + g.said())
        self.assertIn("generation 2", ask(("127.0.0.1", port)))
        wait_until(lambda: not alive(old))
        self.assertEqual(g.status()["pid"], g.pid)
        self.assertEqual([a["handoff"] for a in g.status()["addresses"]], ["switched"])
        self.assertEqual(g.end(), 0)
        self.assert_nothing_left(g)

    def test_every_new_connection_goes_to_the_new_generation_at_once(self):
        port = free_port()
        g = self.adopted("tcp:%d" % port)
        held = self.talk(("127.0.0.1", port))
        held.said()
        self.assertEqual(g.reload().returncode, 0)
        self.assertEqual(len(self.draining(g)), 1)
        for _ in range(200):
            self.assertIn("generation 2", ask(("127.0.0.1", port)))

    def test_a_request_in_flight_is_answered_by_the_old_build_and_the_next_by_the_new(self):
        port = free_port()
        go = self.path("go")
        g = self.changing("tcp:%d" % port, "held:" + go)
        flying = self.talk(("127.0.0.1", port))
        flying.ask()
        self.become("tcp:%d" % port)
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.assertIn("generation 2", ask(("127.0.0.1", port)))
        waits = wait_until(lambda: [w for w in self.draining(g) if w["connections"] == 1])[0]
        self.assertIn("1 connection", waits["waits_for"])
        self.write("go", "")
        self.assertIn("generation 1", flying.answer())
        wait_until(lambda: not alive(waits["pid"]))

    def test_an_idle_connection_ends_in_good_order(self):
        port = free_port()
        g = self.adopted("tcp:%d" % port, options=("--drain-idle", "50ms"))
        idle = self.talk(("127.0.0.1", port))
        self.assertIn("generation 1", idle.said())
        self.assertEqual(g.reload().returncode, 0)
        self.assertEqual(idle.socket.recv(100), b"")  # not ECONNRESET
        wait_until(lambda: len(g.workers()) == 1)

    def test_the_drain_timeout_ends_a_connection_that_does_not(self):
        port = free_port()
        g = self.changing("tcp:%d" % port, "held:" + self.path("never"), options=("--drain-timeout", "300ms"))
        self.talk(("127.0.0.1", port)).ask()
        self.become("tcp:%d" % port)
        self.assertEqual(g.reload().returncode, 0)
        wait_until(lambda: len(g.workers()) == 1)

    def test_the_hammer_does_not_wait_for_connections(self):
        port = free_port()
        g = self.changing("tcp:%d" % port, "held:" + self.path("never"))
        self.talk(("127.0.0.1", port)).ask()
        self.become("tcp:%d" % port)
        self.assertEqual(g.reload().returncode, 0)
        self.assertEqual(g.run("hammer").returncode, 0)
        wait_until(lambda: len(g.workers()) == 1)

    def test_five_generations_at_once_and_only_the_last_gets_connections(self):
        port = free_port()
        g = self.adopted("tcp:%d" % port, options=("--drain-timeout", "1h"))
        held = []
        for generation in range(1, 6):
            conversation = self.talk(("127.0.0.1", port))
            self.assertIn("generation %d" % generation, conversation.said())
            conversation.ask()  # and has an answer to wait for: never idle
            held.append(conversation)
            if generation < 5:
                self.assertEqual(g.reload().returncode, 0)
        self.assertEqual([w["generation"] for w in g.workers()], [1, 2, 3, 4, 5])
        for _ in range(100):
            self.assertIn("generation 5", ask(("127.0.0.1", port)))

    def test_a_build_that_says_ready_just_before_it_listens_costs_no_connection(self):
        port, gate = free_port(), self.path("gate")
        g = self.changing("tcp:%d" % port, "ready")
        self.become("early:" + gate, "tcp:%d" % port)
        reload = subprocess.Popen([g.command[0], "reload", "--control", g.control])
        wait_until(lambda: len(g.workers()) == 2, g.said)
        for _ in range(50):
            self.assertIn("generation 1", ask(("127.0.0.1", port)))
        open(gate, "w").close()
        self.assertEqual(reload.wait(), 0, g.said())
        self.assertIn("generation 2", ask(("127.0.0.1", port)))

    def test_a_candidate_without_an_address_of_the_serving_one_is_not_ready_and_the_reason_names_it(self):
        first, second = free_port(), free_port()
        g = self.changing("tcp:%d" % first, "tcp:%d" % second, options=self.ready_within("10min"))
        self.ready_within("6s")
        self.become("tcp:%d" % first)
        r = g.reload()
        self.assertEqual(r.returncode, 1)
        self.assertIn("127.0.0.1:%d" % second, r.stderr)
        for port in first, second:
            self.assertIn("generation 1", ask(("127.0.0.1", port)))

    def test_one_that_is_bound_and_does_not_listen_is_not_ready(self):
        port = free_port()
        g = self.changing("tcp:%d" % port, options=self.ready_within("10min"))
        self.ready_within("6s")
        self.become("tcp:%d" % port, "bound")
        r = g.reload()
        self.assertEqual(r.returncode, 1)
        self.assertIn("127.0.0.1:%d" % port, r.stderr)
        self.assertIn("generation 1", ask(("127.0.0.1", port)))

    def test_a_broken_build_changes_nothing(self):
        port = free_port()
        g = self.changing("tcp:%d" % port)
        self.become("exit")
        r = g.reload()
        self.assertEqual(r.returncode, 1)
        self.assertIn("this build is broken", r.stderr)
        self.assertIn("generation 1", ask(("127.0.0.1", port)))
        self.become("tcp:%d" % port)
        self.assertEqual(g.reload().returncode, 0)
        self.assertIn("generation 3", ask(("127.0.0.1", port)))

    def test_an_address_that_is_new_with_the_candidate_is_its(self):
        first, second = free_port(), free_port()
        g = self.changing("tcp:%d" % first)
        self.become("tcp:%d" % first, "tcp:%d" % second)
        self.assertEqual(g.reload().returncode, 0)
        for port in first, second:
            self.assertIn("generation 2", ask(("127.0.0.1", port)))

    def test_a_killed_worker_means_waiting_and_not_refusal(self):
        port = free_port()
        g = self.adopted("tcp:%d" % port, options=("--restart-delay", "200ms"))
        for _ in range(3):
            killed = g.workers("ready")[0]["pid"]
            os.kill(killed, signal.SIGKILL)
            # Until all its threads are gone one of them may accept a connection and take it along.
            wait_until(lambda: not os.path.exists("/proc/%d" % killed))
            self.assertIn("generation 1", ask(("127.0.0.1", port)))
            wait_until(lambda: [w for w in g.workers("ready") if w["pid"] != killed])

    def test_what_waits_for_a_killed_worker_is_answered_by_the_next_generation(self):
        port = free_port()
        for g in [
                self.adopted("tcp:%d" % port, options=("--restart-delay", "1h"), name="adopted"),
                self.serving("--drain", "idle", "--restart-delay", "1h", name="declared", options=("-l", "127.0.0.1:0"))]:
            address = g.address()
            killed = g.workers("ready")[0]["pid"]
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: not os.path.exists("/proc/%d" % killed))
            waiting = self.talk(address)
            waiting.ask()
            self.assertEqual(g.reload().returncode, 0, g.said())
            self.assertIn("generation 2", waiting.answer())

    def test_an_address_may_be_closed_and_bound_again(self):
        port = free_port()
        again = self.path("again")
        g = self.adopted("tcp:%d" % port, "rebind:" + again)
        self.assertIn("generation 1", ask(("127.0.0.1", port)))
        self.write("again", "")
        wait_until(lambda: not os.path.exists(again))
        for _ in range(50):
            self.assertIn("generation 1", ask(("127.0.0.1", port)))
        self.assertEqual(g.reload().returncode, 0)
        self.assertIn("generation 2", ask(("127.0.0.1", port)))

    def test_a_child_of_the_worker_is_adopted_too(self):
        port = free_port()
        g = self.adopted("tcp:%d" % port, "fork")
        self.assertIn("generation 1", ask(("127.0.0.1", port)))
        self.assertEqual(g.reload().returncode, 0)
        self.assertIn("generation 2", ask(("127.0.0.1", port)))

    def test_two_workers_share_the_address_when_they_say_so(self):
        port = free_port()
        g = self.adopted("tcp:%d" % port, options=("-w", "2"))
        pids = {w["pid"] for w in g.workers("ready")}
        self.assertEqual(len(pids), 2)
        seen = set()
        wait_until(lambda: seen.add(int(ask(("127.0.0.1", port)).split()[1])) or seen == pids)
        self.assertEqual(g.reload().returncode, 0)
        for _ in range(20):
            self.assertIn("generation 2", ask(("127.0.0.1", port)))

    def test_whoever_follows_one_that_said_ready_must_say_it_too(self):
        port = free_port()
        g = self.changing("tcp:%d" % port, "ready", options=self.ready_within("10min"))
        self.ready_within("1s")
        self.become("tcp:%d" % port)
        self.assertEqual(g.reload().returncode, 1)
        self.become("tcp:%d" % port, "ready")
        self.ready_within("10min")
        self.assertEqual(g.reload().returncode, 0)

    def test_a_unix_socket_is_handed_on_and_removed_at_the_end(self):
        path = self.path("s")
        g = self.adopted("unix:" + path)
        held = self.talk(path)
        self.assertIn("generation 1", held.said())
        self.assertEqual(g.reload().returncode, 0, g.said())
        for _ in range(20):
            self.assertIn("generation 2", ask(path))
        self.assertIn("generation 1", held.said())
        self.assertEqual(len(self.draining(g)), 1)
        held.close()
        wait_until(lambda: len(g.workers()) == 1)
        self.assertIn("generation 2", ask(path))
        self.assertEqual(g.end(), 0)
        self.assertEqual([f for f in os.listdir(self.directory) if f.startswith("s")], [])

    def test_a_failed_candidate_leaves_the_unix_socket_to_the_serving_one(self):
        path = self.path("s")
        g = self.changing("unix:" + path, options=self.ready_within("10min"))
        self.ready_within("1s")
        self.become("unix:" + path, "bound")
        self.assertEqual(g.reload().returncode, 1)
        wait_until(lambda: len(g.workers()) == 1)
        self.assertIn("generation 1", ask(path))

    def test_an_abstract_name_is_held_for_all_generations(self):
        name = "graced-test-%d" % os.getpid()
        g = self.adopted("abstract:" + name)
        self.assertIn("generation 1", ask("@" + name))
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.soon("generation 2", lambda: ask_for_once("@" + name))
        self.assertEqual([a["handoff"] for a in g.status()["addresses"]], ["shared"])

    def test_udp_that_nobody_waits_on_keeps_nobody_from_being_ready(self):
        tcp, udp = free_port(), free_port()
        g = self.adopted("tcp:%d" % tcp, "udp:%d" % udp)
        for generation in "12":
            self.assertIn("generation " + generation, ask(("127.0.0.1", tcp)))
            self.assertEqual({a["address"]: a["handoff"] for a in g.status()["addresses"]},
                             {"tcp 127.0.0.1:%d" % tcp: "switched", "udp 127.0.0.1:%d" % udp: "switched"})
            if generation == "1":
                self.assertEqual(g.reload().returncode, 0, g.said())

    def test_ipv6_and_both_families(self):
        for host in "[::1]", "[::]":
            port = free_port()
            g = self.adopted("tcp:%s:%d" % (host, port), name="v6-%d" % port)
            self.assertEqual(g.reload().returncode, 0, g.said())
            self.assertIn("generation 2", ask(("::1", port)))
            if host == "[::]":
                self.assertIn("generation 2", ask(("127.0.0.1", port)))

    def test_adopt_off_leaves_it_as_it_is(self):
        port = free_port()
        g = self.adopted("tcp:%d" % port, options=("--adopt", "off"))
        self.assertEqual(g.reload().returncode, 1)  # the address is in use
        self.assertIn("generation 1", ask(("127.0.0.1", port)))

    def test_a_stop_lets_a_request_finish(self):
        port = free_port()
        go = self.path("go")
        g = self.adopted("tcp:%d" % port, "held:" + go)
        flying = self.talk(("127.0.0.1", port))
        flying.ask()
        wait_until(lambda: g.status()["workers"][0]["state"] == "ready")
        g.signal(signal.SIGTERM)
        g.wait("STOPPING=1")
        self.write("go", "")
        self.assertIn("generation 1", flying.answer())
        self.assertEqual(g.end(None), 0)


class Declared(Adopted):
    """With --listen as well."""

    def test_connections_wait_even_for_the_first_start(self):
        port = free_port()
        late = self.path("late")
        g = self.graced("-l", "127.0.0.1:%d" % port, "--adopt", "on", options=(), wait=False,
                        command=(BINDER, "late:" + late, "tcp:%d" % port))
        waiting = wait_until(lambda: self.connected(port))
        waiting.ask()
        self.write("late", "")
        self.assertIn("generation 1", waiting.answer())
        g.wait("READY=1")
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.assertIn("generation 2", ask(("127.0.0.1", port)))

    def connected(self, port):
        try:
            return self.talk(("127.0.0.1", port))
        except ConnectionRefusedError:
            return None

    def test_passed_sockets_are_switched_when_asked_for(self):
        g = self.serving("--drain", "idle", "--drain-idle", "50ms", habits=("serve",))
        self.assertEqual(g.status()["addresses"][0]["handoff"], "switched")
        address = g.address()
        old = g.workers()[0]["pid"]
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.assertEqual(g.address(), address)
        for _ in range(50):
            self.assertIn("generation 2 ", g.ask())
        wait_until(lambda: not alive(old))


class UnderLoad(Adopted):
    def test_no_request_is_lost_over_many_reloads(self):
        port = free_port()
        # Reloads come faster than connections end: room must not be made for them.
        g = self.adopted("tcp:%d" % port, options=("--drain-idle", "100ms", "--drain-timeout", "2s", "--max-draining", "32"))
        where = "127.0.0.1:%d" % port
        loads = [self.load("--clients", "3", where),
                 self.load("--clients", "4", "--keep-alive", "--pause", "20ms", where),
                 self.load("--clients", "4", "--keep-alive", "--pause", "300ms", where)]
        before = None
        for i in range(20):
            r = g.reload()
            self.assertEqual(r.returncode, 0, r.stderr)
            if i == 2:
                wait_until(lambda: len(g.workers()) == 1)
                before = descriptors(g.pid)
        wait_until(lambda: len(g.workers()) == 1)
        wait_for_no_more_descriptors(g.pid, before)
        for load in loads:
            r = self.report(load)
            self.assertEqual(r["failed"], 0, r)
            self.assertGreater(r["answered"], 20)
        self.assertEqual(g.end(), 0)

    def test_killed_workers_under_load_refuse_nobody(self):
        port = free_port()
        g = self.adopted("tcp:%d" % port, options=("--restart-delay", "20ms", "--start-limit", "100/1min"))
        load = self.load("--clients", "4", "127.0.0.1:%d" % port)
        for _ in range(5):
            killed = g.workers("ready")[0]["pid"]
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: [w for w in g.workers("ready") if w["pid"] != killed])
        r = self.report(load)
        self.assertEqual(r.get("failures", {}).get("refused", 0), 0, r)
        self.assertGreater(r["answered"], 20)


class Kept(Case):
    def addresses(self, control):
        said = subprocess.run([GRACED, "status", "--json", "--control", control], capture_output=True, text=True, timeout=PATIENCE)
        return [(a["name"], a["address"], a["handoff"]) for a in json.loads(said.stdout)["addresses"]]

    def test_what_the_manager_has_kept_for_the_next_graced_is_shown_at_once(self):
        port = free_port()
        shown = [("adopted", "tcp 127.0.0.1:%d" % port, "switched")]
        launch = self.write("launch", '#!/bin/sh\nLISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=graced.adopted.7 exec "%s" "$@"\n' % GRACED,
                            0o755)
        manager = Manager(self.path("m"))
        self.addCleanup(manager.close)
        with socket.create_server(("127.0.0.1", port), reuse_port=True) as kept:
            fd = kept.fileno()
            graced = subprocess.Popen([launch, "run", "--name", "i", "--control", self.path("c"), "--", BINDER, "tcp:%d" % port],
                                      env={**os.environ, "NOTIFY_SOCKET": manager.path}, stderr=subprocess.DEVNULL,
                                      preexec_fn=lambda: os.dup2(fd, 3), close_fds=False)
        self.addCleanup(graced.wait)
        self.addCleanup(graced.terminate)
        manager.wait("READY=1")
        self.assertEqual(self.addresses(self.path("c")), shown)
        self.assertIn("generation 1", ask(("127.0.0.1", port)))
        reload = subprocess.run([GRACED, "reload", "--control", self.path("c")], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(reload.returncode, 0, reload.stderr)
        self.assertEqual(self.addresses(self.path("c")), shown)

    def test_what_a_killed_worker_has_left_to_the_next_one_is_shown_too(self):
        port = free_port()
        g = self.graced(options=(), command=(BINDER, "tcp:%d" % port))
        shown = [("adopted", "tcp 127.0.0.1:%d" % port, "switched")]
        self.assertEqual(self.addresses(g.control), shown)
        for _ in range(3):
            killed = g.workers("ready")[0]["pid"]
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: any(w["pid"] != killed for w in g.workers("ready")), g.said)
            self.assertEqual(self.addresses(g.control), shown)


if __name__ == "__main__":
    main()
