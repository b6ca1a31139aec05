"""nginx: a master that is root, workers of another user, two addresses; and with a socket for each of them; and
before somebody who takes his time."""
import os
from in_flight import GRPC, H2, HTTP, NEAR_LIMIT, TLS, InFlightCase
from program import SERVERS, ProgramCase, found, main, setUpModule

PORT = ("127.0.0.1", 8080)


class Nginx(ProgramCase):
    def nginx(self, conf):
        os.chmod(self.directory, 0o755)  # its workers are nobody
        return self.program(found("nginx"), "-p", self.directory, "-c", self.write("nginx.conf", conf))

    def conf(self):
        with open(os.path.join(SERVERS, "nginx.conf")) as f:
            return f.read()

    def test_nginx(self):
        g = self.nginx(self.conf())
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT)

    def test_nginx_reuseport(self):
        g = self.nginx(self.conf().replace(":8080;", ":8080 reuseport;"))
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT)


class NginxInFlight(InFlightCase):
    def nginx(self):
        self.certificate()
        self.behind()
        with open(os.path.join(SERVERS, "nginx_streams.conf")) as f:
            conf = self.write("nginx.conf", f.read())  # it looks for the certificate beside it
        return found("nginx"), "-p", self.directory, "-c", conf

    def test_nginx_in_flight(self):
        g = self.below(*self.nginx())
        self.nothing_is_cut(g, *HTTP, *TLS, *H2, *GRPC)

    def test_nginx_finishes_at_the_limit(self):
        g = self.below(*self.nginx(), options=("--drain-signal", "QUIT", *NEAR_LIMIT))
        self.the_limit_lets_it_finish(g, "goodbye_h2", "plain", "tls12", "tls13", "poll", "drip", "drip_tls", "events", "upload", "ws", "wss", *GRPC)


if __name__ == "__main__":
    main()
