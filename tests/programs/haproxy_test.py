"""HAProxy, in the foreground."""
import os
from program import SERVERS, ProgramCase, found, main, setUpModule

PORT = ("127.0.0.1", 8080)


class Haproxy(ProgramCase):
    def test_haproxy(self):
        g = self.program(found("haproxy"), "-db", "-f", os.path.join(SERVERS, "haproxy.cfg"))
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT)


if __name__ == "__main__":
    main()
