"""A unix socket that a Go program removes, binds again and unlinks when it ends."""
from program import ProgramCase, built, main, setUpModule


class Unix(ProgramCase):
    def test_unix_socket(self):
        path = self.path("socket")
        g = self.program(built("server"), "unix:" + path)
        self.two_generations_at_once(g, path)
        # Whether such a connection is idle cannot be told from outside, so kept ones would be waited for.
        self.reloads_lose_nothing(g, path, keep_alive=False)


if __name__ == "__main__":
    main()
