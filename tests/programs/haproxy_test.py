"""HAProxy, in the foreground, alone and as a master with a worker; also before somebody who takes his time."""
import os
from in_flight import GRPC, H2, HTTP, NEAR_LIMIT, TLS, InFlightCase
from program import SERVERS, ProgramCase, found, main, setUpModule

PORT = ("127.0.0.1", 8080)
CONFIGURATION = os.path.join(SERVERS, "haproxy.cfg")


class Haproxy(ProgramCase):
    def test_haproxy(self):
        g = self.program(found("haproxy"), "-db", "-f", CONFIGURATION)
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT)

    def test_haproxy_master(self):
        g = self.program(found("haproxy"), "-W", "-db", "-f", CONFIGURATION)
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT)

    def test_haproxy_with_sockets_passed(self):
        """It finishes by itself on SIGUSR1."""
        with open(CONFIGURATION) as f:
            passed = self.write("haproxy.cfg", f.read().replace("127.0.0.1:8080", '"fd@${SOCKET}"'))
        g = self.passed("127.0.0.1:8080,name=http", found("haproxy"), "-db", "-f", passed,
                        options=("--env", "SOCKET={fd:http}", "--drain-signal", "USR1"))
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT, keep_alive=False)


class HaproxyInFlight(InFlightCase):
    def haproxy(self):
        self.certificate()
        with open(self.path("cert.pem")) as certificate, open(self.path("key.pem")) as key:
            self.write("both.pem", certificate.read() + key.read())
        self.behind()
        os.environ["DIRECTORY"] = self.directory
        return found("haproxy"), "-db", "-f", os.path.join(SERVERS, "haproxy_streams.cfg")

    def test_haproxy_in_flight(self):
        g = self.below(*self.haproxy())
        self.nothing_is_cut(g, *HTTP, *TLS, *H2, *GRPC)

    def test_haproxy_finishes_at_the_limit(self):
        g = self.below(*self.haproxy(), options=("--drain-signal", "USR1", *NEAR_LIMIT))
        self.the_limit_lets_it_finish(g, "plain", "tls12", "tls13", "poll", "drip", "drip_tls", "events", "upload", "ws", "wss", *GRPC,
                                      ends="exited with status 0|killed by SIGSEGV")  # now and then, when all have left


if __name__ == "__main__":
    main()
