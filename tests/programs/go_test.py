"""Go's net/http: static binaries, which no preloaded library reaches, of 64 and of 32 bits; and with
work in flight."""
from in_flight import GRPC, H2, HTTP, TLS, InFlightCase
from program import ProgramCase, built, built_32_bit, main, setUpModule

PORT = ("127.0.0.1", 8080)


class Go(ProgramCase):
    def test_go(self):
        g = self.program(built("server"), ":8080")
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT)

    def test_go_32_bit(self):
        g = self.program(built_32_bit("server-386"), "127.0.0.1:8080")
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT)


class GoInFlight(InFlightCase):
    def test_go_in_flight(self):
        self.certificate()
        g = self.below(built("streams"), self.directory)
        self.nothing_is_cut(g, *HTTP, *TLS, *H2, *GRPC, grpc="https://127.0.0.1:8443")

    def test_an_ordinary_user_in_flight(self):
        self.certificate()
        g = self.below(built("streams"), self.directory, preexec=self.as_nobody_for_good)
        self.nothing_is_cut(g, *HTTP, *TLS, *H2, *GRPC, grpc="https://127.0.0.1:8443")


if __name__ == "__main__":
    main()
