"""Gunicorn: a master that listens, and two workers that accept; with threads also kept connections."""
from program import SERVERS, ProgramCase, found, main, setUpModule

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


if __name__ == "__main__":
    main()
