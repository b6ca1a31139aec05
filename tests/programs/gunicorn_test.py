"""Gunicorn: a master that listens, says READY=1 and then starts two workers that load the application and accept;
with threads also kept connections. And on sockets that are passed to it."""
import os, threading
from program import SERVERS, ProgramCase, found, main, setUpModule
from harness import ask, wait_until

PORT = ("127.0.0.1", 8000)


class Gunicorn(ProgramCase):
    def test_gunicorn(self):
        g = self.program(found("gunicorn"), "--chdir", SERVERS, "-w", "2", "wsgi:app")
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT, keep_alive=False)

    def test_gunicorn_threads(self):
        g = self.program(found("gunicorn"), "--chdir", SERVERS, "-w", "2", "--threads", "4", "wsgi:app")
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT)

    def application(self, *lines):
        self.write("orders.py", "\n".join([*lines, "def app(e, start):", "    start('200 OK', [('Content-Type', 'text/plain')])",
                                           "    return [b'generation %d by %d,' % (GENERATION, os.getpid())]", ""]))

    def test_an_application_that_takes_its_time_to_load_and_one_that_raises(self):
        generation = "import os; GENERATION = int(os.environ['GRACED_GENERATION'])"
        self.application(generation)
        g = self.program(found("gunicorn"), "--chdir", self.directory, "-w", "2", "orders:app", env={"PYTHONDONTWRITEBYTECODE": "1"})
        seen = set()
        wait_until(lambda: seen.add(ask(PORT)) or len(seen) == 2)  # both have loaded it
        for broken in True, False:
            go, loads = self.path("go-%d" % broken), self.path("loads-%d" % broken)
            self.application(generation, "import time", "open(%r, 'w')" % loads, "while not os.path.exists(%r): time.sleep(0.01)" % go,
                             "raise RuntimeError('no such table')" if broken else "")
            answer = []
            reload = threading.Thread(target=lambda: answer.append(g.reload()))
            reload.start()
            wait_until(lambda: os.path.exists(loads))
            for _ in range(50):
                self.assertIn("generation 1", ask(PORT))
            self.assertEqual(g.status()["phase"], "reloading")
            self.write(os.path.basename(go), "")
            reload.join()
            self.assertEqual(answer[0].returncode, 1 if broken else 0, answer[0].stderr)
            self.assertIn("generation 1" if broken else "generation 3", ask(PORT))

    def test_gunicorn_with_sockets_passed(self):
        g = self.passed("127.0.0.1:8000", found("gunicorn"), "--chdir", SERVERS, "-w", "2", "wsgi:app")
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT, keep_alive=False)


if __name__ == "__main__":
    main()
