"""Apache: a master that is root, workers with threads and of another user, before somebody who takes his time."""
import os
from in_flight import H2, HTTP, TLS, InFlightCase
from program import SERVERS, found, main, setUpModule

PORT = ("127.0.0.1", 8080)


class Apache(InFlightCase):
    def apache(self):
        self.certificate()
        self.behind()
        os.environ["DIRECTORY"] = self.directory
        return found("apache2"), "-D", "FOREGROUND", "-f", os.path.join(SERVERS, "apache.conf")

    def test_apache(self):
        g = self.program(*self.apache())
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT)

    def test_apache_in_flight(self):
        g = self.below(*self.apache())
        self.nothing_is_cut(g, *HTTP, *TLS, *H2, "grpc_stream")


if __name__ == "__main__":
    main()
