"""What tests of probes have in common: a server whose health they say, and clients that go on asking."""
import os, threading
from harness import HERE, NOBODY, Case, ask, for_everybody
from own_network import free_port

PROBED = for_everybody(os.path.join(HERE, "probed.py"))
HEALTHY, SICK = "200 OK", "500 Internal Server Error"


class Clients:
    """They ask, each time by a new connection, until they are told to stop."""

    def __init__(self, address, many=4):
        self.address, self.answers, self.failures, self.over = address, {}, [], False
        self.threads = [threading.Thread(target=self.ask_on) for _ in range(many)]
        for t in self.threads:
            t.start()

    def ask_on(self):
        while not self.over:
            try:
                answer = ask(self.address)
                self.answers[answer] = self.answers.get(answer, 0) + 1
            except OSError as e:
                self.failures.append(e)

    def stop(self):
        self.over = True
        for t in self.threads:
            t.join()


class Probed(Case):
    def become(self, health):
        self.write("health", health)

    def asked(self, generation):
        try:
            with open(self.path("asked.%d" % generation)) as f:
                return f.read().split()
        except FileNotFoundError:
            return []

    def probed(self, *options, where=("passed",), port=None, health=HEALTHY, **more):
        self.become(health)
        self.port = port or free_port()
        listen = ("-l", "127.0.0.1:%d" % self.port) if where == ("passed",) else ()
        return self.graced(*options, options=listen, command=(PROBED, self.directory, *(where or (str(self.port),))), **more)

    def url(self, path="/healthz"):
        return "http://127.0.0.1:%d%s" % (self.port, path)

    def unprivileged(self):
        for path in [self.directory, *map(self.path, os.listdir(self.directory))]:
            os.chown(path, NOBODY, NOBODY)
