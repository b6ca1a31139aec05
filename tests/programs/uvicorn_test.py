"""uvicorn: with addresses of its own, and on sockets that are passed to it."""
from program import SERVERS, ProgramCase, found, main, setUpModule

PORT = ("127.0.0.1", 8000)


class Uvicorn(ProgramCase):
    def test_uvicorn(self):
        g = self.program(found("uvicorn"), "--app-dir", SERVERS, "--no-access-log", "asgi:app")
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT)

    def test_uvicorn_with_sockets_passed(self):
        g = self.passed("127.0.0.1:8000,name=http", found("uvicorn"), "--app-dir", SERVERS, "--no-access-log", "--fd", "{fd:http}", "asgi:app")
        self.reloads_lose_nothing(g, PORT, keep_alive=False)


if __name__ == "__main__":
    main()
