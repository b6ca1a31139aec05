"""Caddy: HTTPS and HTTP/2 as it has them, without HTTP/3, before somebody who takes his time."""
import os
from in_flight import GRPC, H2, HTTP, NEAR_LIMIT, TLS, InFlightCase
from program import SERVERS, found, main, setUpModule

PORT = ("127.0.0.1", 8080)


class Caddy(InFlightCase):
    def caddy(self):
        self.certificate()
        self.behind()
        os.environ.update(XDG_DATA_HOME=self.directory, XDG_CONFIG_HOME=self.directory)
        return found("caddy"), "run", "--adapter", "caddyfile", "--config", os.path.join(SERVERS, "Caddyfile")

    def test_caddy(self):
        g = self.program(*self.caddy())
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT)

    def test_caddy_in_flight(self):
        g = self.below(*self.caddy())
        self.nothing_is_cut(g, *HTTP, *TLS, *H2, *GRPC)

    def test_caddy_finishes_at_the_limit(self):
        g = self.below(*self.caddy(), options=NEAR_LIMIT)
        self.the_limit_lets_it_finish(g, "goodbye_h2", "plain", "tls12", "tls13", "poll", "drip", "drip_tls", "events", "upload", *GRPC)


if __name__ == "__main__":
    main()
