"""What a machine may refuse: it is said in one line, with what is done instead, or is an error where it was
asked for by name."""
import ctypes, errno, os, socket, struct, unittest
import own_network
from harness import Case, HERE, PATIENCE, ask, for_everybody, main, wait_until

BINDER = for_everybody(os.path.join(HERE, "binder.py"))
PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP = 38, 24
CAP_SYS_PTRACE, PTRACE = 19, 101
SYS_seccomp, SET_MODE_FILTER, NEW_LISTENER = 317, 1, 8
libc = ctypes.CDLL(None, use_errno=True)


def setUpModule():
    own_network.enter()
    if os.uname().machine != "x86_64":
        raise unittest.SkipTest("the number of seccomp(2) is that of x86_64")


def without_capabilities():
    """As root, but what root may do is gone with the next exec."""
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


BPF, SECCOMP, SETSOCKOPT, PIDFD_GETFD, SOCKET = 321, 317, 54, 438, 41
NETLINK_SOCK_DIAG = 4
WITH_PIDFDS = 424, 434, 435  # pidfd_send_signal, pidfd_open, clone3
ATTACH_CBPF, ATTACH_EBPF = 51, 52


def refusing(*calls):
    """A kernel that is older, or a container that allows less: calls are (number, errno) or, where it depends
    on an argument, (number, errno, which, value)."""
    load, equal, give, allow = 0x20, 0x15, 0x06, 0x7FFF0000
    text = []
    for number, error, *argument in calls:
        text.append((load, 0, 0, 0))  # the number of the call
        text.append((equal, 0, 3 if argument else 1, number))
        if argument:
            text += [(load, 0, 0, 16 + 8 * argument[0]), (equal, 0, 1, argument[1])]
        text.append((give, 0, 0, 0x00050000 | error))
    text.append((give, 0, 0, allow))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *t) for t in text))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(text), ctypes.addressof(code)))

    def preexec(_kept=code):
        if libc.syscall(SYS_seccomp, SET_MODE_FILTER, 0, ctypes.byref(program)) != 0:
            raise OSError(ctypes.get_errno(), "seccomp")

    return preexec


NO_STEERING = (BPF, errno.EPERM), (SETSOCKOPT, errno.EPERM, 2, ATTACH_CBPF), (SETSOCKOPT, errno.EPERM, 2, ATTACH_EBPF)


def another_listener(place):
    """As below a container runtime that has a seccomp listener of its own; it counts as long as somebody has
    it open: at this descriptor."""
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    allow = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 1, ctypes.addressof(allow)))
    listener = libc.syscall(SYS_seccomp, SET_MODE_FILTER, NEW_LISTENER, ctypes.byref(program))
    os.dup2(listener, place)


class Fallback(Case):
    def beside_another_listener(self):
        place = os.open("/dev/null", os.O_RDONLY)
        self.addCleanup(os.close, place)
        return {"pass_fds": [place], "preexec_fn": lambda: another_listener(place)}

    def hold(self, port):
        """A connection that its worker has something to do for."""
        s = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.addCleanup(s.close)
        s.sendall(b"GET / HTTP/1.1\r\n")
        return s

    def check(self, *options, code=0, **more):
        r = self.run_graced("check", "--control", self.path("c"), *options, "--", "true", **more)
        self.assertEqual(r.returncode, code, r.stderr)
        return r

    def test_check_shows_what_this_machine_offers(self):
        said = self.check().stdout
        self.assertIn("\nthis machine\n  adoption   possible\n  steering   eBPF\n", said)
        self.assertIn("  addresses  those that the command binds are adopted: UDP ones are not kept when graced is restarted", said)
        self.assertIn("  drain      idle, of 8 generations at most at a time\n", said)
        self.assertIn("  drain      by signal, ", self.check("-l", "8080").stdout)

    def test_check_shows_what_an_ordinary_user_lacks(self):
        said = self.check(preexec_fn=self.as_nobody).stdout
        self.assertRegex(said, "  adoption   possible: .*no_new_privs")
        self.assertRegex(said, "  steering   classic BPF: .*CAP_BPF.*while several generations drain")
        self.assertIn("  drain      idle, of 8 generations at most at a time\n", said)

    def test_check_fails_where_run_would(self):
        r = self.check("--adopt", "on", code=2, **self.beside_another_listener())
        self.assertRegex(r.stdout, "  adoption   impossible: another seccomp listener")
        self.assertRegex(r.stderr, "^graced: adopt=on cannot be had here: another seccomp listener.*--listen.*\n$")

    def test_check_tells_of_a_user_who_is_not_here(self):
        r = self.check("--user", "not-here", code=1)
        self.assertEqual(r.stderr, "graced: user 'not-here' does not exist\n")
        self.assertIn("  adoption   possible\n", r.stdout)

    def test_adoption_asked_for_by_name_beside_another_listener_is_an_error(self):
        self.assert_refused(["adopt=on cannot be had here", "another seccomp listener", "--listen"], "run", "--control",
                            self.path("control"), "--adopt", "on", "--", BINDER, "tcp:8080",
                            **self.beside_another_listener())

    def test_adoption_that_is_only_the_default_gives_way_with_one_line(self):
        beside = self.beside_another_listener()
        g = self.graced(options=(), command=(BINDER, "tcp:8080"), preexec=beside["preexec_fn"], pass_fds=beside["pass_fds"])
        self.assertEqual(g.said().count("not adopting the addresses that the command binds"), 1, g.said())
        self.assertIn("generation 1", ask(("127.0.0.1", 8080)))
        self.assertEqual(g.reload().returncode, 1)  # the address is in use
        self.assertIn("generation 1", ask(("127.0.0.1", 8080)))
        self.assertEqual(g.said().count("not adopting"), 1, g.said())

    def test_without_any_steering_idle_drain_asked_for_by_name_is_an_error(self):
        self.assert_refused(["drain=idle cannot be had here", "CAP_BPF", "classic BPF"], "run", "--control", self.path("control"),
                            "--drain", "idle", "--", BINDER, "tcp:8080", preexec_fn=refusing(*NO_STEERING))

    def test_without_any_steering_old_workers_are_signalled_at_once(self):
        g = self.graced(options=(), command=(BINDER, "tcp:8080"), preexec=refusing(*NO_STEERING))
        self.assertEqual(g.said().count("old workers are signalled at once"), 1, g.said())
        self.hold(8080)
        for generation in 2, 3:
            self.assertEqual(g.reload().returncode, 0, g.said())
            wait_until(lambda: len(g.workers()) == 1, g.said)
            self.assertIn("generation %d" % generation, ask(("127.0.0.1", 8080)))
        self.assertEqual(g.said().count("old workers are signalled at once"), 1, g.said())

    def test_what_an_older_kernel_lacks_is_named(self):
        for words, how in (("adoption   impossible: .*no pidfd_getfd.*5.14", (PIDFD_GETFD, errno.ENOSYS)),
                           ("adoption   possible: before Linux 5.19 a signal can", (SECCOMP, errno.EINVAL, 1, 8 | 4 | 32)),
                           ("adoption   impossible: .*user notification .*5.14", (SECCOMP, errno.ENOSYS)),
                           ("adoption   impossible: .*forbidden here.*--listen", (SECCOMP, errno.EPERM)),
                           ("steering   classic BPF: .*CONFIG_BPF_SYSCALL; while several generations drain", (BPF, errno.ENOSYS))):
            with self.subTest(how):
                self.assertRegex(self.check(preexec_fn=refusing(how)).stdout, words)

    def test_a_container_s_filter_is_blamed_and_not_a_capability_that_is_there(self):
        """As Docker's, containerd's and nspawn's own profiles, which know who has CAP_SYS_PTRACE; root has it here."""
        refused = refusing((PIDFD_GETFD, errno.EPERM))
        said = self.check(preexec_fn=refused).stdout
        self.assertRegex(said, r"adoption   impossible: .*seccomp filter refuses pidfd_getfd\(2\): allow the call in its profile")
        self.assertNotIn("CAP_SYS_PTRACE", said)

        def without_capability():
            libc.prctl(PR_CAPBSET_DROP, CAP_SYS_PTRACE, 0, 0, 0)
            refused()
        said = self.check(preexec_fn=without_capability).stdout
        self.assertRegex(said, r"adoption   impossible: .*seccomp filter refuses pidfd_getfd\(2\): give the container CAP_SYS_PTRACE")

    def test_where_nothing_may_be_traced_check_looks_for_the_command(self):
        refused = refusing((PTRACE, errno.EPERM))
        no_leak_check = {"ASAN_OPTIONS": "detect_leaks=0"}  # a sanitizer's would want to trace
        self.check(preexec_fn=refused, env=no_leak_check)
        script = self.write("plain", "text\n")
        r = self.run_graced("check", "--control", self.path("c"), "--", script, preexec_fn=refused, env=no_leak_check)
        self.assertEqual(r.returncode, 1)
        self.assertIn("chmod +x", r.stderr)
        self.write("plain", "#!/bin/sh\ntouch %s\n" % self.path("ran"), 0o755)
        self.assertEqual(self.run_graced("check", "--control", self.path("c"), "--", script, preexec_fn=refused, env=no_leak_check).returncode, 0)
        self.assertFalse(os.path.exists(self.path("ran")))

    def test_without_seccomp_there_is_no_adoption_and_the_rest_goes_on(self):
        g = self.graced(options=(), command=(BINDER, "tcp:8080"), preexec=refusing((SECCOMP, errno.ENOSYS)))
        self.assertEqual(g.said().count("not adopting the addresses that the command binds: this kernel has no"), 1, g.said())
        self.assertIn("generation 1", ask(("127.0.0.1", 8080)))

    def test_where_the_kernel_does_not_list_connections_a_few_are_looked_at_one_by_one(self):
        no_sock_diag = refusing((SOCKET, errno.EPROTONOSUPPORT, 2, NETLINK_SOCK_DIAG))
        g = self.graced(options=(), command=(BINDER, "tcp:8080"), preexec=no_sock_diag)
        held = [self.hold(8080) for _ in range(3)]
        self.assertEqual(g.reload().returncode, 0, g.said())
        wait_until(lambda: [w for w in g.workers() if w["connections"] == len(held)], g.said)
        for s in held:
            s.sendall(b"Connection: close\r\n\r\n")
            self.assertIn(b"generation 1", s.recv(1000))
        wait_until(lambda: len(g.workers()) == 1, g.said)

    def test_where_adoption_cannot_be_had_an_address_given_with_listen_is_reloaded(self):
        g = self.serving(preexec=refusing((PIDFD_GETFD, errno.EPERM)))
        self.assertNotIn("adopt", g.said())
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.soon("generation 2", g.ask)

    def test_an_ordinary_users_second_reload_ends_nothing_of_the_first(self):
        g = self.graced(options=(), command=(BINDER, "tcp:8080"), preexec=self.as_nobody)
        self.assertIn("no_new_privs is set", g.said())
        self.assertIn("while several generations drain, a new connection now and then reaches an old one", g.said())
        first = self.hold(8080)
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.assertEqual([w["state"] for w in g.workers()], ["draining", "ready"])
        for _ in range(50):
            self.assertIn("generation 2", ask(("127.0.0.1", 8080)))
        second = self.hold(8080)
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.assertEqual([w["state"] for w in g.workers()], ["draining", "draining", "ready"])
        self.assertIn("generation 3", ask(("127.0.0.1", 8080)))
        for held, generation in (first, b"generation 1"), (second, b"generation 2"):
            held.sendall(b"\r\n")
            self.assertIn(generation, held.recv(1000))
            held.close()
        wait_until(lambda: [w["generation"] for w in g.workers()] == [3], g.said)
        self.assertIn("generation 3", ask(("127.0.0.1", 8080)))

    def test_where_processes_have_no_descriptors_workers_hear_their_signals_all_the_same(self):
        g = self.serving(preexec=refusing(*((call, errno.ENOSYS) for call in WITH_PIDFDS)))
        for generation in range(2, 5):
            self.assertEqual(g.reload().returncode, 0, g.said())
            wait_until(lambda: [w["generation"] for w in g.workers()] == [generation], g.said)
        self.assertNotIn("hammered", g.said())
        self.assertEqual(g.end(), 0, g.said())
        self.assertNotIn("hammered", g.said())

    def test_root_without_capabilities_drains_idle_with_classic_bpf(self):
        g = self.graced("--drain", "idle", "--drain-idle", "50ms", options=(), command=(BINDER, "tcp:8080"),
                        preexec=without_capabilities)
        self.assertRegex(g.said(), "needs CAP_BPF; while several generations drain")
        for generation in range(2, 6):
            self.assertEqual(g.reload().returncode, 0, g.said())
            self.assertIn("generation %d" % generation, ask(("127.0.0.1", 8080)))
        self.assertEqual(g.end(), 0)


if __name__ == "__main__":
    main()
