"""The HTTP server that Java comes with."""
from program import BUILT, ProgramCase, built, found, main, setUpModule

PORT = ("127.0.0.1", 8080)


class Java(ProgramCase):
    def test_java(self):
        built("Server.class")
        g = self.program(found("java"), "-cp", BUILT, "Server", "8080")
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT)


if __name__ == "__main__":
    main()
