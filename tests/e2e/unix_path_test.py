"""The path of a unix socket that graced listens on: workers remove it when they leave (asyncio of Python 3.13 does, Go's
listeners, php-fpm), administrators and cleaners do, and whoever has the socket can change its queue."""
import os, shutil, signal, socket, subprocess, tempfile, threading, unittest
from harness import HERE, WORKER, Case, alive, ask, for_everybody, main, wait_until

BINDER = for_everybody(os.path.join(HERE, "binder.py"))
AGAIN = "it is there again"


def queue_of(path_or_port):
    """How many connections may wait there, as the kernel has it."""
    if isinstance(path_or_port, int):
        out = subprocess.run(["ss", "-Hltn", "sport = :%d" % path_or_port], capture_output=True, text=True, check=True).stdout
        return int(out.split()[2])
    out = subprocess.run(["ss", "-Hlx", "src", path_or_port], capture_output=True, text=True, check=True).stdout
    return int(out.split()[3])


class Vanished(Case):
    def leaving(self, path, option="", **more):
        """Whose workers remove the path as they leave."""
        leaver = self.write("leaver", '#!/usr/bin/python3 -B\nimport os, runpy, sys, signal\n'
                            'original = signal.signal\n'
                            'def leave(*_):\n    os.unlink(%r)\n    os._exit(0)\n'
                            'signal.signal = lambda n, f: original(n, leave if n == signal.SIGTERM else f)\n'
                            'sys.argv = ["worker.py", "ready", "serve"]\n'
                            'runpy.run_path(%r)\n' % (path, WORKER), 0o755)
        return self.graced(options=("-l", "unix:" + path + option), command=(leaver,), **more)

    def test_a_leaving_worker_that_removes_the_path_does_not_cut_off_its_successor(self):
        path = self.path("app.sock")
        g = self.leaving(path, ",mode=0660")
        before = os.stat(path)
        for generation in (2, 3):
            self.assertEqual(g.reload().returncode, 0)
            wait_until(lambda: g.said().count(AGAIN) == generation - 1, g.said)
            self.assertIn("generation %d" % generation, ask(path))
        after = os.stat(path)
        self.assertEqual((after.st_ino, after.st_mode, after.st_uid), (before.st_ino, before.st_mode, before.st_uid))
        self.assertEqual(g.end(), 0)
        self.assertFalse(os.path.exists(path))
        self.assert_nothing_left(g)
        self.assertEqual([f for f in os.listdir(self.directory) if "sock" in f], [])

    def test_a_path_that_is_removed_between_reloads_is_put_back_at_once(self):
        path = self.path("app.sock")
        g = self.serving(options=("-l", "unix:" + path))
        inode = os.stat(path).st_ino
        for times in (1, 2, 3):
            os.unlink(path)
            wait_until(lambda: g.said().count(AGAIN) == times, g.said)
            self.assertEqual(os.stat(path).st_ino, inode)
            self.assertIn("generation 1", ask(path))

    def test_a_path_that_is_moved_away_is_put_back_and_the_other_name_stays(self):
        path = self.path("app.sock")
        g = self.serving(options=("-l", "unix-seqpacket:" + path))
        os.rename(path, path + ".old")
        wait_until(lambda: AGAIN in g.said(), g.said)
        self.assertEqual(os.stat(path).st_ino, os.stat(path + ".old").st_ino)

    def test_the_path_of_a_datagram_socket_is_put_back_as_well(self):
        path = self.path("app.sock")
        g = self.serving(options=("-l", "unix-dgram:" + path))
        os.unlink(path)
        wait_until(lambda: AGAIN in g.said(), g.said)
        self.assertTrue(os.path.exists(path))

    def test_another_file_in_its_place_is_left_alone_and_told(self):
        path = self.path("app.sock")
        g = self.serving(options=("-l", "unix:" + path))
        other = self.write("other", "precious\n")
        os.rename(other, path)
        wait_until(lambda: "another file has taken the path's place" in g.said(), g.said)
        self.assertEqual(g.reload().returncode, 0)
        self.assertEqual(g.said().count("another file has taken"), 1)
        self.assertEqual(g.end(), 0)
        with open(path) as f:
            self.assertEqual(f.read(), "precious\n")

    def test_it_is_put_back_when_the_other_file_is_gone(self):
        path = self.path("app.sock")
        g = self.serving(options=("-l", "unix:" + path))
        inode = os.stat(path).st_ino
        os.rename(self.write("other", ""), path)
        wait_until(lambda: "another file has taken the path's place" in g.said(), g.said)
        os.unlink(path)
        self.assertEqual(g.reload().returncode, 0)
        self.assertEqual(os.stat(path).st_ino, inode)

    def test_somebody_who_removes_it_for_ever_does_not_keep_graced_busy(self):
        path = self.path("app.sock")
        g = self.serving(options=("-l", "unix:" + path))
        stop = threading.Event()

        def remove():
            while not stop.is_set():
                try:
                    os.unlink(path)
                except OSError:
                    pass
        remover = threading.Thread(target=remove)
        remover.start()
        self.addCleanup(lambda: (stop.set(), remover.join()))
        wait_until(lambda: g.said().count(AGAIN) >= 7, g.said)
        self.assertEqual(g.status()["phase"], "serving")
        # Seven took a second at the least; what it ran meanwhile is little.
        with open("/proc/%d/stat" % g.pid) as f:
            ticks = sum(map(int, f.read().rpartition(")")[2].split()[11:13]))
        self.assertLess(ticks, 50)
        stop.set()
        remover.join()
        self.assertEqual(g.end(), 0)

    def test_a_killed_graced_leaves_no_second_name_to_the_next(self):
        path = self.path("app.sock")
        for _ in range(2):
            g = self.serving(options=("-l", "unix:" + path))
            worker = g.workers()[0]["pid"]
            second_names = self.path("t.control.paths")
            wait_until(lambda: os.path.exists(second_names) and len(os.listdir(second_names)) == 1,
                       lambda: repr(os.listdir(self.directory)))
            os.kill(g.pid, signal.SIGKILL)
            g.process.wait()
            os.killpg(worker, signal.SIGKILL)
            wait_until(lambda: not alive(worker), "who is killed dies")  # until then the socket is in use
            g.manager.close()
            os.unlink(g.manager.path)
        g = self.serving(options=("-l", "unix:" + path))
        self.assertEqual(g.end(), 0)
        self.assert_nothing_left(g)

    def test_a_lost_path_without_a_second_name_is_bound_anew_by_a_reload(self):
        shared = tempfile.mkdtemp(prefix="graced-test-", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, shared, True)
        if os.stat(shared).st_dev == os.stat(self.directory).st_dev:
            self.skipTest("there is one file system only")
        for n in ("", *("-%d" % i for i in range(2, 9))):
            os.mkdir(os.path.join(shared, ".app.sock.graced" + n))
        path = os.path.join(shared, "app.sock")
        g = self.serving(options=("-l", "unix:" + path))
        wait_until(lambda: "no second name of it can be kept" in g.said(), g.said)
        os.unlink(path)
        wait_until(lambda: "cannot be put back" in g.said(), g.said)
        self.assertEqual(g.reload().returncode, 0)
        self.assertIn("generation 2", ask(path))
        self.assertEqual(g.end(), 0)
        self.assertFalse(os.path.exists(path))

    def test_a_path_on_another_file_system_is_put_back_too(self):
        shared = tempfile.mkdtemp(prefix="graced-test-", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, shared, True)
        path = os.path.join(shared, "app.sock")
        g = self.serving(options=("-l", "unix:" + path))
        os.unlink(path)
        wait_until(lambda: AGAIN in g.said(), g.said)
        self.assertIn("generation 1", ask(path))
        self.assertEqual(g.end(), 0)
        self.assertEqual(os.listdir(shared), [])

    def test_a_path_that_a_reload_has_added_is_put_back_at_once_too(self):
        path = self.path("app.sock")
        config = self.write("conf", "listen = 127.0.0.1:0\n")
        g = self.serving("--config", config, options=())
        self.write("conf", "listen = 127.0.0.1:0\nlisten = unix:%s\n" % path)
        self.assertEqual(g.reload().returncode, 0)
        for times in (1, 2):
            os.unlink(path)
            wait_until(lambda: g.said().count(AGAIN) == times, g.said)
            self.assertIn("generation 2", ask(path))

    def test_whom_the_directory_of_a_path_keeps_out_no_second_name_lets_in(self):
        os.mkdir(self.path("closed"), 0o700)
        os.chmod(self.directory, 0o755)
        path = self.path("closed/app.sock")
        g = self.serving(options=("-l", "unix:" + path))
        wait_until(lambda: os.stat(path).st_nlink == 2, "there is a second name")
        self.assertEqual(os.stat(self.path("t.control.paths")).st_mode & 0o777, 0o700)
        # A directory that another user has put there is not used.
        g.end()
        os.mkdir(self.path("t.control.paths"), 0o755)
        os.chmod(self.path("t.control.paths"), 0o755)
        os.unlink(g.manager.path)
        g = self.serving(options=("-l", "unix:" + path))
        wait_until(lambda: os.stat(path).st_nlink == 2, "there is a second name")
        self.assertEqual(os.listdir(self.path("t.control.paths")), [])
        self.assertEqual(g.end(), 0)
        self.assertEqual(os.listdir(self.path("closed")), [])

    def test_an_unprivileged_graced_puts_a_path_back(self):
        if os.geteuid() != 0:
            self.skipTest("the other tests are this one")
        path = self.path("app.sock")
        g = self.serving(options=("-l", "unix:" + path), preexec=self.as_nobody)
        os.unlink(path)
        wait_until(lambda: AGAIN in g.said(), g.said)
        self.assertIn("generation 1", ask(path))


class PutInPlace(Case):
    """Adopted servers that bind elsewhere and rename, or link, to where they are reached."""

    def changing(self, *habits, options=(), **more):
        self.become(*habits)
        return self.graced(options=options, command=(self.reader(BINDER),), **more)

    def test_a_socket_that_is_put_in_place_is_reloaded_without_a_lost_request(self):
        for kind in ("moved", "linked", "mv"):
            with self.subTest(kind):
                path = self.path("s")
                g = self.changing(kind + ":" + path)
                self.assertEqual([a["address"] for a in g.status()["addresses"]], ["unix " + path])
                load = self.load("--clients", "3", "unix:" + path)
                for generation in (2, 3, 4):
                    r = g.reload()
                    self.assertEqual(r.returncode, 0, r.stderr)
                    self.assertIn("generation %d" % generation, ask(path))
                report = self.report(load)
                self.assertEqual(report["failed"], 0, report)
                self.assertGreater(report["answered"], 20)
                self.assertEqual(g.end(), 0)
                self.assertEqual([f for f in os.listdir(self.directory) if f.startswith("s")], [])
                os.unlink(g.manager.path)

    def test_it_takes_no_privilege(self):
        if os.geteuid() != 0:
            self.skipTest("the other tests are this one")
        for kind in ("moved", "linked"):
            path = self.path(kind)
            g = self.changing(kind + ":" + path, preexec=self.as_nobody, name=kind)
            self.assertEqual(g.reload().returncode, 0, g.said())
            self.assertIn("generation 2", ask(path))
            self.assertEqual(os.stat(path).st_uid, 65534)
            self.assertEqual(g.end(), 0)
            self.assertFalse(os.path.exists(path))

    def test_a_candidate_that_fails_after_it_renamed_leaves_the_served_path(self):
        path = self.path("s")
        g = self.changing("moved:" + path, options=self.ready_within("10min"))
        self.ready_within("1s")
        inode = os.stat(path).st_ino
        self.become("moved:" + path, "unix:" + self.path("never"), "bound")
        self.assertEqual(g.reload().returncode, 1)
        self.assertEqual(os.stat(path).st_ino, inode)
        self.assertIn("generation 1", ask(path))
        wait_until(lambda: len(g.workers()) == 1)
        self.assertEqual([f for f in os.listdir(self.directory) if f.startswith("s")], ["s"])

    def test_a_killed_worker_s_replacement_takes_the_path_again(self):
        path = self.path("s")
        g = self.changing("moved:" + path)
        os.kill(g.workers()[0]["pid"], signal.SIGKILL)
        wait_until(lambda: g.status()["restarts"] == 1 and len(g.workers("ready")) == 1, g.said)

        def answer():
            try:
                return ask(path)
            except ConnectionResetError:  # it waited for the worker that was killed, until another socket took its path
                return ""

        self.soon("generation 1", answer)
        self.assertEqual(g.reload().returncode, 0)
        self.assertIn("generation 2", ask(path))

    def test_a_private_socket_under_a_random_name_is_not_asked_of_the_next_generation(self):
        path = self.path("s")
        os.mkdir(self.path("own"))
        g = self.changing("unix:" + path, "private:" + self.path("own"), options=("--ready-timeout", "60s"))
        for generation in (2, 3):
            r = g.reload()
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertIn("generation %d" % generation, ask(path))
        # What it does not have is asked of it still: it may be on its way.
        self.become("unix:" + path)
        r = g.reload("--wait", "2s")
        self.assertEqual(r.returncode, 4, r.stderr)
        self.assertEqual(g.status()["serving"], 3)


class LookFirst(Case):
    """Servers that look whether somebody listens on their path before they bind it, and leave if so."""

    def started(self, *habits):
        script = self.write("app", '#!/bin/sh\nexec "%s" %s\n' % (BINDER, " ".join(habits)), 0o755)
        return self.graced(options=(), command=(script,))

    def killed(self, g, restarts):
        os.kill(g.workers()[0]["pid"], signal.SIGKILL)
        wait_until(lambda: g.status()["restarts"] >= restarts and len(g.workers("ready")) == 1, g.said)

    def test_after_a_crash_it_can_start_again(self):
        for address in ("unix:" + self.path("s"), "abstract:graced-test-look-%d" % os.getpid()):
            with self.subTest(address):
                g = self.started(address, "look-first")
                where = g.address()
                self.killed(g, 2)
                self.assertIn("generation 1", ask(where))
                self.assertIn("it is let go", g.said())
                self.assertEqual(g.end(), 0)
                self.assertEqual([f for f in os.listdir(self.directory) if f.startswith("s")], [])
                os.unlink(g.manager.path)

    def test_a_reload_fails_with_its_own_words_and_changes_nothing(self):
        path = self.path("s")
        g = self.started("unix:" + path, "look-first")
        r = g.reload()
        self.assertEqual(r.returncode, 1)
        self.assertIn("another instance seems to listen", r.stderr)
        self.assertIn("generation 1", ask(path))

    def test_others_find_their_clients_waiting_after_a_crash(self):
        """Whoever does not look, or dies of something else, gets the queue that was kept for it."""
        path = self.path("s")
        late = self.path("late")
        self.write("late", "")
        g = self.started("late:" + late, "unix:" + path)
        os.unlink(late)
        os.kill(g.workers()[0]["pid"], signal.SIGKILL)
        wait_until(lambda: g.status()["restarts"] == 1, g.said)
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(path)
            client.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
            self.write("late", "")
            self.assertIn(b"generation 1", client.makefile("rb").read())
        self.assertNotIn("it is let go", g.said())


@unittest.skipUnless(shutil.which("ss"), "iproute2 is not installed")
class Queue(Case):
    def listening_with(self, n):
        return self.write("app", '#!/usr/bin/python3 -B\nimport runpy, socket, sys\ns = socket.socket(fileno=3)\n'
                          's.listen(%d)\ns.detach()\nsys.argv = ["worker.py", "ready", "serve"]\nrunpy.run_path(%r)\n' % (n, WORKER), 0o755)

    def test_a_workers_listen_does_not_replace_the_backlog_that_was_asked_for(self):
        for address in ("127.0.0.1:0", "unix:" + self.path("app.sock")):
            with self.subTest(address):
                script = self.listening_with(5)
                g = self.graced(options=("-l", address + ",backlog=100"), command=(script,), name="q%d" % len(address))
                place = g.address()
                place = place if isinstance(place, str) else place[1]
                self.assertEqual(queue_of(place), 100)
                self.assertIn("not 5 but 100 again", g.said())
                self.listening_with(200)
                self.assertEqual(g.reload().returncode, 0)
                self.assertEqual(queue_of(place), 100)
                self.assertIn("not 200 but 100 again", g.said())

    def test_an_inherited_socket_keeps_the_queue_it_came_with(self):
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        s.listen(77)
        self.addCleanup(s.close)
        g = self.graced(options=("-l", "fd:%d" % s.fileno()), command=(self.listening_with(5),), pass_fds=(s.fileno(),))
        self.assertEqual(queue_of(s.getsockname()[1]), 77)
        self.assertEqual(g.end(), 0)


if __name__ == "__main__":
    main()
