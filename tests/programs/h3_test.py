"""HTTP/3 before an unmodified Caddy: a connection stays with the generation that has its keys."""
import os, subprocess
from in_flight import InFlightCase
from program import SERVERS, ProgramCase, built, found, main, setUpModule

CONNECTIONS = 40


class Http3(ProgramCase):
    certificate = InFlightCase.certificate

    def begin_asking(self, pause="50ms"):
        client = subprocess.Popen([built("h3"), "https://127.0.0.1:8443/", str(CONNECTIONS), pause], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (client.poll() is None and client.kill(), client.wait(), client.stdout.close(), client.stderr.close()))
        self.assertEqual(client.stdout.readline(), "asking\n")
        return client

    def test_caddy(self):
        caddy, client = found("caddy"), built("h3")
        self.certificate()
        os.environ.update(XDG_DATA_HOME=self.directory, XDG_CONFIG_HOME=self.directory)
        g = self.program(caddy, "run", "--adapter", "caddyfile", "--config", os.path.join(SERVERS, "Caddyfile.h3"))
        self.assertIn({"name": "adopted", "address": "udp 127.0.0.1:8443", "handoff": "switched"}, g.status()["addresses"])
        asking = self.begin_asking()
        for _ in range(2):
            answer = g.reload()
            self.assertEqual(answer.returncode, 0, answer.stderr + g.said())
        after = self.begin_asking()
        self.assertEqual(after.stdout.readline(), "busy\n")
        results = []
        for client in asking, after:
            client.terminate()
            out, errors = client.communicate(timeout=60)
            requests, failed, lasted, last, generation = out.split()[-5:]
            self.assertEqual((failed, errors), ("0", ""), g.said())
            self.assertEqual(int(lasted), CONNECTIONS)
            self.assertEqual(generation, "3")
            results.append(int(requests))
        self.assertGreater(min(results), CONNECTIONS)


if __name__ == "__main__":
    main()
