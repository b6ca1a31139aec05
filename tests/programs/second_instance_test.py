"""Servers that refuse to run beside another one: a reload of each, with the cure that graced-recipes(7) has, and what is
told without it."""
import os, subprocess, sys
from program import SERVERS, ProgramCase, found, main, setUpModule

PORT = ("127.0.0.1", 8080)
APACHE = """
ServerRoot %s
ServerName localhost
PidFile %s
ErrorLog /dev/stderr
User nobody
Group nogroup
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
Listen 127.0.0.1:8080
"""
BEHIND = """
import http.server
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"pid 0\\n")
    def log_message(self, *_): pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512
server = Server(("127.0.0.1", 9080), Answer)
print("listens", flush=True)
server.serve_forever()
"""


def text_of(configuration, pid_file):
    with open(os.path.join(SERVERS, configuration)) as f:
        return f.read().replace("PID_FILE", pid_file)


class SecondInstance(ProgramCase):
    def setUp(self):
        super().setUp()
        os.chmod(self.directory, 0o755)  # they become other users

    def refused(self, g, *words):
        """A reload fails, every one of these is told, and the generation before still serves."""
        self.one_serves(g)
        r = g.reload()
        self.assertEqual(r.returncode, 1, g.said())
        for word in words:
            self.assertRegex(r.stderr, word)
        self.assertEqual(g.status()["serving"], 1)
        self.answer(PORT)

    def squid(self, pid_file):
        behind = subprocess.Popen([sys.executable, "-c", BEHIND], stdout=subprocess.PIPE)
        self.addCleanup(lambda: (behind.kill(), behind.wait(), behind.stdout.close()))
        behind.stdout.readline()
        return found("squid"), "--foreground", "-f", self.write("squid.conf", text_of("squid.conf", pid_file))

    def varnish(self, place):
        found("varnishd")
        script = "exec varnishd -F -n '%s' -a 127.0.0.1:8080 -f '%s'" % (self.path(place), os.path.join(SERVERS, "varnish.vcl"))
        return "sh", "-c", script.replace("GENERATION", "'$GRACED_GENERATION'")

    def hypnotoad(self, pid_file):
        return found("hypnotoad"), "-f", self.write("app.pl", text_of("hypnotoad.pl", self.path(pid_file)), 0o755)

    def test_squid_without_a_pid_file(self):
        g = self.program(*self.squid("none"))
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT)

    def test_squid_with_one(self):
        self.refused(self.program(*self.squid(self.path("squid.pid"))), "Squid is already running")

    def test_varnish_with_a_directory_for_each_generation(self):
        g = self.program(*self.varnish("v.GENERATION"))
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT)

    def test_varnish_with_one(self):
        self.refused(self.program(*self.varnish("v")), "Varnishd is already running")

    def test_hypnotoad_with_a_pid_file_for_each_generation(self):
        g = self.program(*self.hypnotoad("hypnotoad.$ENV{GRACED_GENERATION}"))
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT)

    def test_apache_with_one_pid_file_says_so_on_stdout_and_exits_with_status_0(self):
        config = self.write("apache.conf", APACHE % (self.directory, self.path("apache.pid")))
        command = found("apache2"), "-D", "FOREGROUND", "-f", config
        alone = "exited with status 0 after .*, before it was ready, and left no process behind"
        g = self.program(*command)
        self.refused(g, alone, "nothing was said on stderr: --stdout watch tells")
        self.assertEqual(g.end(), 0)
        self.refused(self.program(*command, options=("--stdout", "watch"), name="watched"), alone,
                     r"httpd \(pid \d+\) already running")


if __name__ == "__main__":
    main()
