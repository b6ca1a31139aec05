"""Node, alone and as a cluster, whose master listens for its children; and with work in flight, by node itself and by npm's
ws and @grpc/grpc-js."""
import os
from in_flight import GRPC, H2, HTTP, NEAR_LIMIT, STREAMS, TLS, InFlightCase
from program import SERVERS, ProgramCase, found, main, setUpModule

PORT = ("127.0.0.1", 8080)


class Node(ProgramCase):
    def test_node(self):
        g = self.program(found("node"), os.path.join(SERVERS, "server.js"), "8080")
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT)

    def test_node_cluster(self):
        g = self.program(found("node"), os.path.join(SERVERS, "cluster.js"), "8080")
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT)


class NodeInFlight(InFlightCase):
    def streams(self):
        self.certificate()
        return found("node"), STREAMS, "--http", "8080", "--tls", "8443", "--grpc", "8051", "--certificate", self.directory

    def test_node_in_flight(self):
        g = self.below(*self.streams())
        self.nothing_is_cut(g, *HTTP, *TLS, *H2, *GRPC)

    def test_node_says_goodbye_at_the_limit(self):
        g = self.below(*self.streams(), "--goodbye", options=NEAR_LIMIT)
        self.the_limit_lets_it_finish(g, "goodbye_h2", "goodbye_ws", "plain", "tls12", "tls13", "poll", "drip", "drip_tls", "events", *GRPC)


if __name__ == "__main__":
    main()
