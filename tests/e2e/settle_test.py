"""Nobody who has just connected, and has not asked yet, is among those whom the drain signal makes a worker close."""
import os, random, socket, threading, time
import own_network
from harness import Case, ask, descriptors, main, wait_for_no_more_descriptors, wait_until

RELOADS = int(os.environ.get("GRACED_RELOADS", "40"))

# As uvicorn, puma, daphne and others: on SIGTERM those who have not asked are closed, those who have are answered.
CLOSER = '''#!/usr/bin/python3 -B
import asyncio, os, signal, socket

connections = set()
one_is_gone = asyncio.Event()

class Connection(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.asked = transport, b""
        connections.add(self)

    def data_received(self, data):
        self.asked += data
        if self.asked.endswith(b"\\r\\n\\r\\n"):
            self.transport.write(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\npid %%d generation %%s\\n"
                                 %% (os.getpid(), os.environ["GRACED_GENERATION"].encode()))
            self.transport.close()

    def connection_lost(self, why):
        connections.discard(self)
        one_is_gone.set()

async def main():
    leave = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave.set)
    fds = range(3, 3 + int(os.environ["LISTEN_FDS"]))
    servers = [await asyncio.get_running_loop().create_server(Connection, sock=socket.socket(fileno=fd)) for fd in fds]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        path = os.environ["NOTIFY_SOCKET"]
        s.connect("\\0" + path[1:] if path.startswith("@") else path)
        s.send(b"READY=1")
    await leave.wait()
    for server in servers:
        server.close()
    for connection in list(connections):
        connection.transport.close()
    while connections:
        one_is_gone.clear()
        await one_is_gone.wait()

asyncio.run(main())
'''.replace("%%", "%")


def setUpModule():
    own_network.enter()


class Settling(Case):
    def closing(self, *options, **more):
        return self.graced(*options, command=(self.write("app", CLOSER, 0o755),), **more)

    def hesitating(self, address, lost, enough):
        """A client that connects, and asks a moment later."""
        while not enough.is_set():
            try:
                with socket.create_connection(address, timeout=20) as s:
                    time.sleep(random.random() * 0.02)
                    s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    answer = b""
                    while part := s.recv(4096):
                        answer += part
                    if b"generation" not in answer:
                        lost.append("closed")
            except OSError as e:
                lost.append(str(e))

    def lost_in_reloads(self, g):
        lost, enough = [], threading.Event()
        clients = [threading.Thread(target=self.hesitating, args=(g.address(), lost, enough)) for _ in range(8)]
        for c in clients:
            c.start()
        try:
            for _ in range(RELOADS):
                self.assertEqual(g.reload().returncode, 0)
        finally:
            enough.set()
            for c in clients:
                c.join()
        wait_until(lambda: len(g.workers()) == 1, g.said)
        return lost

    def test_who_has_connected_a_moment_ago_is_answered(self):
        g = self.closing()
        self.assertEqual(g.status()["addresses"][0]["handoff"], "switched")
        self.assertEqual(self.lost_in_reloads(g), [])
        self.assertEqual(g.end(), 0)

    def test_so_he_is_with_ipv6_and_ipv4_on_one_socket(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        g = self.closing(options=("-l", str(port)))
        g.address = lambda index=0: ("127.0.0.1", port)
        self.assertEqual(self.lost_in_reloads(g), [])

    def test_who_never_speaks_holds_up_a_drain_for_a_moment_only(self):
        g = self.closing()
        with socket.create_connection(g.address()) as silent:
            self.assertEqual(g.reload().returncode, 0)
            silent.settimeout(20)
            self.assertEqual(silent.recv(1), b"")
        wait_until(lambda: len(g.workers()) == 1, g.said)

    def test_a_candidate_that_fails_has_had_nobody(self):
        g = self.closing()
        self.assertEqual(g.reload().returncode, 0)
        over = self.path("over")  # a FIFO: the candidate lives until somebody has opened it and closes it
        os.mkfifo(over)
        waits = "    await asyncio.to_thread(lambda: open(%r).read())\n    raise SystemExit(3)\n" % over
        self.write("app", CLOSER.replace("    with socket.socket(socket.AF_UNIX", waits + "    with socket.socket(socket.AF_UNIX"), 0o755)
        lost, enough = [], threading.Event()
        client = threading.Thread(target=self.hesitating, args=(g.address(), lost, enough))
        client.start()
        try:
            for _ in range(3):
                reload = self.reloading(g)
                with open(over, "w"):  # it is there, and listens
                    for _ in range(20):
                        self.assertIn("generation 2", ask(g.address()))
                reload.communicate()
                self.assertEqual(reload.returncode, 1)
        finally:
            enough.set()
            client.join()
        self.assertEqual(lost, [])
        self.assertIn("generation 2", ask(g.address()))
        self.write("app", CLOSER, 0o755)
        self.assertEqual(g.reload().returncode, 0)
        self.assertIn("generation 6", ask(g.address()))

    def test_what_comes_late_to_a_socket_that_nobody_accepts_from_is_handed_on(self):
        """A worker that keeps its sockets open and takes nothing more, as long as it lives."""
        deaf = CLOSER.replace("    await leave.wait()\n", "    await leave.wait()\n    for s in servers:\n        for fd in fds: asyncio.get_running_loop().remove_reader(fd)\n    await asyncio.Event().wait()\n")
        self.write("app", deaf, 0o755)
        g = self.graced("--drain-timeout", "1h", command=(self.path("app"),))
        for generation in range(2, 5):
            self.assertEqual(g.reload().returncode, 0)
            for _ in range(20):
                self.assertIn("generation %d" % generation, ask(g.address()))
        g.signal(12)  # the hammer

    def test_an_ordinary_user_shares_the_socket_as_ever(self):
        script = self.write("app", CLOSER, 0o755)
        g = self.graced(command=(script,), preexec=self.as_nobody)
        self.assertEqual(g.status()["addresses"][0]["handoff"], "shared")
        self.assertEqual(g.reload().returncode, 0)
        self.assertEqual(g.status()["addresses"][0]["handoff"], "shared")
        self.assertIn("generation 2", ask(g.address()))
        self.assertNotIn("warning", g.said())

    def test_nothing_grows(self):
        g = self.closing("-w", "2")
        for _ in range(5):
            self.assertEqual(g.reload().returncode, 0)
        wait_until(lambda: len(g.workers()) == 2, g.said)
        before = descriptors(g.pid)
        for _ in range(20):
            self.assertEqual(g.reload().returncode, 0)
        wait_until(lambda: len(g.workers()) == 2, g.said)
        wait_for_no_more_descriptors(g.pid, before)


if __name__ == "__main__":
    main()
