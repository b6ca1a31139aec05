"""Python's http.server: one connection for each request, as `python3 -m http.server` has it, and kept ones."""
import os
from program import SERVERS, ProgramCase, main, setUpModule

PORT = ("127.0.0.1", 8080)


class Python(ProgramCase):
    def test_python_http_server(self):
        self.write("index.html", "pid 0\n")
        g = self.program("/usr/bin/python3", "-m", "http.server", "8080")
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT, keep_alive=False)

    def test_python_keep_alive(self):
        g = self.program("/usr/bin/python3", os.path.join(SERVERS, "keep_alive.py"), "8080")
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT)


if __name__ == "__main__":
    main()
