"""php-fpm: a master that is root, and children of another user. It is asked by an nginx that is not below graced, and which
makes an error 502 of every connection that is refused or cut."""
import os, shutil, subprocess
from in_flight import InFlightCase, listens
from program import SERVERS, found, main, setUpModule, wait_until

PORT = ("127.0.0.1", 8080)
SLOW = "plain", "drip", "events"


class Fpm(InFlightCase):
    def fpm(self, address):
        """The command; and nginx, which asks that address."""
        name = next((n for n in ("php-fpm", "php-fpm8.2") if shutil.which(n)), "php-fpm")
        command = found(name), "--nodaemonize", "--fpm-config", os.path.join(SERVERS, "php-fpm.conf")
        script = shutil.copy(os.path.join(SERVERS, "streams.php"), self.directory)
        with open(os.path.join(SERVERS, "nginx_fastcgi.conf")) as f:
            conf = f.read().replace("UPSTREAM", "unix:" + address if "/" in address else address).replace("SCRIPT;", script + ";")
        nginx = subprocess.Popen([found("nginx"), "-p", self.directory, "-c", self.write("nginx.conf", conf)])
        self.addCleanup(lambda: (nginx.terminate(), nginx.wait()))
        wait_until(lambda: listens(8080))
        os.environ["ADDRESS"] = address
        return command

    def test_fpm(self):
        g = self.program(*self.fpm("127.0.0.1:9000"))
        self.reloads_lose_nothing(g, PORT, keep_alive=False)

    def test_fpm_in_flight(self):
        g = self.below(*self.fpm("127.0.0.1:9000"))
        self.nothing_is_cut(g, *SLOW)

    def test_fpm_that_is_told_at_once(self):
        g = self.below(*self.fpm("127.0.0.1:9000"), options=("--drain", "signal", "--drain-signal", "QUIT"))
        self.nothing_is_cut(g, *SLOW)

    def test_fpm_with_sockets_passed(self):
        g = self.passed("127.0.0.1:9000,name=fpm", *self.fpm("127.0.0.1:9000"),
                        options=("--env", "FPM_SOCKETS=127.0.0.1:9000={fd:fpm}", "--drain-signal", "QUIT"))
        self.reloads_lose_nothing(g, PORT, keep_alive=False)

    def test_fpm_with_a_unix_socket_passed(self):
        """It removes the path of its address when it ends, so it is told another one than its clients have; a socket of
        its own it would not start with while somebody listens there."""
        command = self.fpm(self.path("fpm.sock"))
        os.environ["ADDRESS"] = self.path("not-there.sock")
        g = self.passed("unix:%s,mode=0666,name=fpm" % self.path("fpm.sock"), *command,
                        options=("--env", "FPM_SOCKETS=%s={fd:fpm}" % os.environ["ADDRESS"], "--drain-signal", "QUIT"))
        self.reloads_lose_nothing(g, PORT, keep_alive=False)


if __name__ == "__main__":
    main()
