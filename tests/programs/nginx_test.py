"""nginx: a master that is root, workers of another user, two addresses; and with a socket for each of them."""
import os
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


if __name__ == "__main__":
    main()
