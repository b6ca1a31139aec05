"""aiohttp, with TLS, streams and WebSockets of its own."""
import os, subprocess, unittest
from in_flight import HTTP, TLS, InFlightCase
from program import SERVERS, main, setUpModule

PORT = ("127.0.0.1", 8080)


class Aiohttp(InFlightCase):
    def aiohttp(self):
        if subprocess.run(["/usr/bin/python3", "-c", "import aiohttp"], stderr=subprocess.DEVNULL).returncode:
            raise unittest.SkipTest("aiohttp is not installed")
        self.certificate()
        return "/usr/bin/python3", os.path.join(SERVERS, "streams.py"), self.directory

    def test_aiohttp(self):
        g = self.program(*self.aiohttp())
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT)

    def test_aiohttp_in_flight(self):
        g = self.below(*self.aiohttp())
        self.nothing_is_cut(g, *HTTP, *TLS)


if __name__ == "__main__":
    main()
