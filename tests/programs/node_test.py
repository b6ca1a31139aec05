"""Node, alone and as a cluster, whose master listens for its children."""
import os
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


if __name__ == "__main__":
    main()
