"""Addresses that come and go with a reload, and such as overlap: 127.0.0.1:8080 is part of 0.0.0.0:8080. A candidate
gets nobody before it serves, and whoever leaves gets nobody any more."""
import ctypes, errno, os, re, select, signal, socket, subprocess
import own_network
from harness import Case, HERE, PATIENCE, WORKER, alive, ask, for_everybody, main, wait_until
from own_network import free_port

BINDER = for_everybody(os.path.join(HERE, "binder.py"))
PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP = 38, 24
libc = ctypes.CDLL(None, use_errno=True)


def setUpModule():
    own_network.enter()


def listeners(port):
    """The local addresses of all sockets that listen on this port. Asked of sock_diag(7): reading /proc/net/tcp takes
    longer than a reload while a load fills it."""
    shown = subprocess.run(["ss", "-Hltn", "sport = :%d" % port], capture_output=True, text=True, check=True, timeout=PATIENCE)
    return [line.split()[3] for line in shown.stdout.splitlines()]


def refused(address):
    try:
        socket.create_connection(address, PATIENCE).close()
    except ConnectionRefusedError:
        return True
    return False


OVERLAPS = (("0.0.0.0", "127.0.0.1", "127.0.0.1"), ("[::]", "0.0.0.0", "127.0.0.1"), ("[::]", "127.0.0.1", "127.0.0.1"),
            ("[::]", "[::1]", "::1"), ("0.0.0.0", "[::ffff:127.0.0.1]", "127.0.0.1"), ("127.0.0.1", "0.0.0.0", "127.0.0.1"))


class Addresses(Case):
    def powerless(self):
        """As preexec: nobody, and no way to become somebody."""
        for capability in range(64):
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
        self.as_nobody()
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)

    def changing(self, *habits, options=(), **more):
        """Behind it the habits of the next generation are what become() says."""
        self.become(*habits)
        return self.graced(*options, options=(), command=(self.reader(BINDER),), **more)

    def outcome(self, reload):
        out, err = reload.communicate(timeout=PATIENCE)
        return reload.returncode, err or out

    def candidate(self, g):
        return g.workers("starting")[0]["pid"]


class Candidates(Addresses):
    def test_a_candidate_on_an_overlapping_address_that_fails_late_has_answered_nobody(self):
        for served, candidate, client in OVERLAPS:
            with self.subTest(served=served, candidate=candidate):
                port = free_port()
                g = self.changing("tcp:%s:%d" % (served, port), name="g%d" % port)
                load = self.load(("[%s]:%d" if ":" in client else "%s:%d") % (client, port))
                # It does not accept yet: one that waits there, and lacks what is served, is given up at once.
                self.become("tcp:%s:%d" % (candidate, port), "late:" + self.path("never"))
                reload = self.reloading(g)
                wait_until(lambda: len(listeners(port)) == 2, lambda: "%s\n%s" % (listeners(port), g.said()))
                for _ in range(50):
                    self.assertIn("generation 1", ask((client, port)))
                os.kill(self.candidate(g), signal.SIGKILL)
                self.assertEqual(self.outcome(reload)[0], 1)
                for _ in range(20):
                    self.assertIn("generation 1", ask((client, port)))
                report = self.report(load)
                self.assertEqual(report["failed"], 0, report)
                self.assertEqual(g.end(), 0)

    def test_a_candidate_that_binds_a_more_specific_address_as_well_takes_it_over_when_it_serves(self):
        port = free_port()
        go = self.path("go")
        g = self.changing("tcp:0.0.0.0:%d" % port)
        load = self.load("127.0.0.1:%d" % port)
        self.become("tcp:127.0.0.1:%d" % port, "late:" + go, "tcp:0.0.0.0:%d" % port)
        reload = self.reloading(g)
        wait_until(lambda: len(listeners(port)) == 2, g.said)
        for _ in range(50):
            self.assertIn("generation 1", ask(("127.0.0.1", port)))
        self.write("go", "")
        self.assertEqual(self.outcome(reload)[0], 0, g.said())
        for generation in 2, 3, 4:
            for _ in range(20):
                for host in "127.0.0.1", "127.0.0.2":
                    self.assertIn("generation %d" % generation, ask((host, port)))
            if generation < 4:
                self.assertEqual(g.reload().returncode, 0, g.said())
        report = self.report(load)
        self.assertEqual(report["failed"], 0, report)

    def test_a_new_address_refuses_clients_until_its_generation_serves(self):
        first, second = free_port(), free_port()
        go = self.path("go")
        g = self.changing("tcp:%d" % first, options=("-w", "2"))
        self.become("tcp:%d" % second, "late:" + go, "tcp:%d" % first)
        reload = self.reloading(g)
        wait_until(lambda: len(listeners(second)) == 2, g.said)
        self.assertTrue(refused(("127.0.0.1", second)))
        self.write("go", "")
        self.assertEqual(self.outcome(reload)[0], 0, g.said())
        for _ in range(20):
            self.assertIn("generation 2", ask(("127.0.0.1", second)))
        for w in g.workers("ready"):
            os.kill(w["pid"], signal.SIGKILL)  # and its successors join those that were hidden
            wait_until(lambda: not alive(w["pid"]))
        for _ in range(20):
            self.assertIn("generation 2", ask(("127.0.0.1", second)))

    def test_without_privileges_an_overlapping_bind_is_refused_with_words(self):
        for served, candidate, client in OVERLAPS:
            with self.subTest(served=served, candidate=candidate):
                port = free_port()
                g = self.changing("tcp:%s:%d" % (served, port), name="g%d" % port, preexec=self.powerless)
                self.become("at-once", "tcp:%s:%d" % (candidate, port), "late:" + self.path("never"))
                r = g.reload()
                self.assertEqual(r.returncode, 1)
                self.assertIn("Address already in use", r.stderr)
                wait_until(lambda: re.search(r"tcp \S+:%d overlaps tcp \S+:%d, .*CAP_NET_RAW" % (port, port), g.said()), g.said)
                self.assertIn("generation 1", ask((client, port)))
                self.assertEqual(g.end(), 0)

    def test_without_privileges_who_asks_for_a_new_address_waits_and_is_answered_once_it_serves(self):
        first, second = free_port(), free_port()
        go = self.path("go")
        g = self.changing("tcp:%d" % first, preexec=self.powerless)
        self.become("tcp:%d" % second, "late:" + go, "tcp:%d" % first)
        reload = self.reloading(g)
        wait_until(lambda: listeners(second), g.said)
        early = socket.socket()
        self.addCleanup(early.close)
        early.setblocking(False)
        self.assertEqual(early.connect_ex(("127.0.0.1", second)), errno.EINPROGRESS)
        wait_until(lambda: g.said().count("tcp 127.0.0.1:%d is new: " % second) == 1, g.said)
        self.write("go", "")
        self.assertEqual(self.outcome(reload)[0], 0, g.said())
        self.assertEqual(select.select([], [early], [], PATIENCE)[1], [early])
        self.assertEqual(early.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
        early.setblocking(True)
        early.sendall(b"GET / HTTP/1.1\r\n\r\n")
        self.assertIn(b"generation 2", early.recv(4096))


class Listen(Addresses):
    def start(self, *addresses, habits="ready serve", options="", **more):
        self.configure(*addresses, habits=habits, options=options)
        g = self.graced("--config", self.path("app.conf"), options=(), **more)
        return g

    def configure(self, *addresses, habits="ready serve", options=""):
        self.write("app.conf", "".join("listen = %s\n" % a for a in addresses) + options + "command = '%s' %s\n" % (WORKER, habits))

    def test_a_new_address_refuses_clients_until_its_generation_serves(self):
        for options in "", "drain = idle\n":
            with self.subTest(options=options):
                first, second = ("127.0.0.1:%d" % free_port() for _ in range(2))
                where = ("127.0.0.1", int(second.rpartition(":")[2]))
                g = self.start(first, options=options, name="g%d" % where[1])
                self.configure(first, second, habits="serve", options=options + "ready = notify\n")
                reload = self.reloading(g)
                wait_until(lambda: g.workers("starting"), g.said)
                self.assertTrue(listeners(where[1]))
                self.assertTrue(refused(where))
                os.kill(self.candidate(g), signal.SIGKILL)
                self.assertEqual(self.outcome(reload)[0], 1)
                self.assertTrue(refused(where))
                self.configure(first, second, options=options)
                self.assertEqual(g.reload().returncode, 0, g.said())
                self.assertIn("generation 3", ask(where))
                self.assertEqual(g.reload().returncode, 0, g.said())
                self.soon("generation 4", lambda: ask(where))
                self.assertEqual(g.end(), 0)

    def test_a_new_unix_path_is_not_there_until_its_generation_serves(self):
        first, second = self.path("first.sock"), self.path("second.sock")
        for privileges in None, self.powerless:
            with self.subTest(privileges=privileges):
                g = self.start("unix:" + first, name="g%d" % free_port(), preexec=privileges)
                files = set(os.listdir(self.directory))
                self.configure("unix:" + first, "unix:" + second, habits="serve", options="ready = notify\n")
                reload = self.reloading(g)
                wait_until(lambda: g.workers("starting"), g.said)
                self.assertRaises(FileNotFoundError, ask, second)
                os.kill(self.candidate(g), signal.SIGKILL)
                self.assertEqual(self.outcome(reload)[0], 1)
                self.assertEqual(set(os.listdir(self.directory)), files)
                self.configure("unix:" + first, "unix:" + second, habits="write=%s:{socket:1} ready serve" % self.path("names"))
                self.assertEqual(g.reload().returncode, 0, g.said())
                self.assertIn("generation 3", ask(second))
                with open(self.path("names")) as f:
                    self.assertEqual(set(f.read().split()), {second})
                self.assertEqual(g.reload().returncode, 0, g.said())
                self.soon("generation 4", lambda: ask(second))
                self.assertEqual(g.end(), 0)
                self.assertFalse(os.path.exists(second))
                self.assert_nothing_left(g)

    def test_a_file_that_somebody_puts_where_a_new_unix_path_is_to_be_stays(self):
        first, second = self.path("first.sock"), self.path("second.sock")
        go = self.path("go")
        g = self.start("unix:" + first)
        self.write("app", "#!/bin/sh\nwhile ! [ -e '%s' ]; do sleep 0.01; done\nexec '%s' ready serve\n" % (go, WORKER), 0o755)
        self.write("app.conf", "listen = unix:%s\nlisten = unix:%s\nready = notify\ncommand = %s\n" % (first, second, self.path("app")))
        reload = self.reloading(g)
        wait_until(lambda: g.workers("starting"), g.said)
        self.write("second.sock", "somebody else's")
        self.write("go", "")
        self.assertEqual(self.outcome(reload)[0], 0, g.said())
        wait_until(lambda: "unix %s: give the socket its path: File exists" % second in g.said(), g.said)
        self.assertEqual(g.end(), 0)
        with open(second) as f:
            self.assertEqual(f.read(), "somebody else's")

    def gone_address(self, options, **more):
        """An address leaves the configuration while its worker accepts there, and has one more in its queue."""
        stays, goes = ("127.0.0.1:%d" % free_port() for _ in range(2))
        where = ("127.0.0.1", int(goes.rpartition(":")[2]))
        g = self.start(stays, goes, habits="ready deaf serve", options=options, name="g%d" % where[1], **more)
        old = g.workers()[0]["pid"]
        os.kill(old, signal.SIGSTOP)
        with socket.create_connection(where, PATIENCE) as queued:
            self.configure(stays, options=options)
            self.assertEqual(g.reload().returncode, 0, g.said())
            self.assertTrue(refused(where))
            os.kill(old, signal.SIGCONT)
            queued.settimeout(PATIENCE)
            queued.sendall(b"GET / HTTP/1.1\r\n\r\n")
            self.assertIn(b"generation 1", queued.recv(4096))
        if "idle" not in options:
            self.assertTrue(alive(old))
        for _ in range(20):
            self.assertTrue(refused(where))
        self.assertEqual(g.run("hammer").returncode, 0)
        wait_until(lambda: not alive(old))
        self.assertEqual(g.end(), 0)

    def test_who_asks_for_an_address_that_is_gone_is_refused_though_an_old_worker_accepts_there(self):
        for options in "", "drain = idle\n":
            with self.subTest(options=options):
                self.gone_address(options)

    def test_nor_does_that_need_privileges(self):
        for options in "", "drain = idle\n":
            with self.subTest(options=options):
                self.gone_address(options, preexec=self.powerless)

    def test_a_unix_path_that_is_gone_is_gone_though_an_old_worker_accepts_there(self):
        stays, goes = self.path("stays.sock"), self.path("goes.sock")
        g = self.start("unix:" + stays, "unix:" + goes, habits="ready deaf serve")
        self.configure("unix:" + stays)
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.assertRaises(FileNotFoundError, ask, goes)
        self.assertEqual(g.run("hammer").returncode, 0)

    def test_a_start_with_idle_drain_warns_of_nothing(self):
        g = self.serving("--drain", "idle", options=("-l", "127.0.0.1:%d" % free_port()))
        self.assertEqual(g.reload().returncode, 0)
        self.assertNotIn("warning", g.said())

    def test_of_two_addresses_that_overlap_both_are_named_and_none_is_called_listed_twice(self):
        port = free_port()
        for other, including in ("127.0.0.1:%d", "[::]:%d"), ("0.0.0.0:%d", "[::]:%d"), ("[::1]:%d", "[::]:%d"):
            self.assert_refused(["bind " + other % port, "graced itself", "listens on " + including % port, "leave one of them out"],
                                "run", "-l", str(port), "-l", other % port, "--control", self.path("control"), "--", WORKER, code=1)


class Stop(Addresses):
    def stop_in_flight(self, g, port):
        """A request that is being answered when graced is told to stop."""
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as flying:
            flying.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            wait_until(lambda: os.path.exists(self.path("asked")), g.said)
            g.signal(signal.SIGTERM)
            wait_until(lambda: refused(("127.0.0.1", port)), g.said)
            self.write("go", "")
            self.assertIn(b"generation 1", flying.recv(4096))
        self.assertEqual(g.process.wait(PATIENCE), 0)

    def test_a_stop_answers_the_request_in_flight_and_refuses_new_ones_without_privileges_as_well(self):
        for privileges in None, self.powerless:  # whose the directory is from then on
            for passed in False, True:
                with self.subTest(passed=passed, privileges=privileges):
                    port = free_port()
                    for file in "asked", "go":
                        if os.path.exists(self.path(file)):
                            os.unlink(self.path(file))
                    options = ("-l", "127.0.0.1:%d" % port, "--adopt", "on", "--drain", "idle") if passed else ()
                    g = self.changing("tcp:%d" % port, "asked:" + self.path("asked"), "held:" + self.path("go"), options=options,
                                      name="g%d" % port, preexec=privileges)
                    self.stop_in_flight(g, port)


if __name__ == "__main__":
    main()
