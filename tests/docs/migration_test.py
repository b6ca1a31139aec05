"""packaging/docs/migration.md: each line with graced serves and deploys without a failed request, and where the other
supervisor is installed, its line runs the same server."""
import shutil
from newcomer import ADDRESS, PATIENCE, Document, Newcomer, ask, live_apart, main, quoted, wait_until

ROWS = {row[0]: [quoted(cell)[0] for cell in row[1:]] for row in Document("packaging/docs/migration.md").rows["From another supervisor"]}

# A server that takes its socket as %s says, or binds the port where that is None.
SHOP = """#!/usr/bin/python3
import http.server, os, signal, socket, sys, threading

class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from %%d\\n" %% os.getpid())

    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False

descriptor = %s
server = Server(("", 8080), Hello, bind_and_activate=descriptor is None)
if descriptor is not None:
    server.socket = socket.socket(fileno=descriptor)
    server.socket.setblocking(False)
signal.signal(signal.SIG%s, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
server.server_close()
"""
WSGI = """import os

def app(environ, start_response):
    body = b"hello from %d\\n" % os.getpid()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]

application = app
"""
NODE = "require('http').createServer((q, a) => a.end(`hello from ${process.pid}\\n`)).listen(8080);\n"
SUPERVISORD = """[supervisord]
nodaemon = true
logfile = supervisord.log
pidfile = supervisord.pid
[unix_http_server]
file = supervisord.sock
[supervisorctl]
serverurl = unix://supervisord.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[program:shop]
%s
"""


def setUpModule():
    live_apart()


class Migration(Newcomer):
    def setUp(self):
        super().setUp()
        self.write("wsgi.py", WSGI)
        self.write("app.js", NODE)

    def shop(self, descriptor, drained_by="TERM"):
        self.write("shop", SHOP % (descriptor, drained_by), 0o755)

    def need(self, *programs):
        missing = [p for p in programs if not shutil.which(p)]
        if missing:
            self.skipTest("not installed: " + ", ".join(missing))

    def ran_before(self, who, stop="TERM", workers=1):
        """The other supervisor's line serves, and so do others after its deploy."""
        line, _, deploy, _ = ROWS[who]
        process = self.start(line)
        self.env["PID"] = str(process.pid)
        old = set()
        wait_until(lambda: old.add(self.answers()) or len(old) == workers, self.said)
        self.sh(deploy)
        wait_until(lambda: self.answers() not in old, self.said)
        self.sh("kill -%s $PID" % stop)
        process.wait(PATIENCE)
        self.assert_free()

    def runs_now(self, who):
        _, line, _, deploy = ROWS[who]
        process = self.serving(line)
        self.env["PID"] = str(process.pid)
        self.assertRegex(ask(ADDRESS), r"^hello from \d+\n$")
        self.reload_under_load(deploy)
        self.end(process)
        self.assertEqual(process.returncode, 0, self.said())
        self.assert_free()

    def test_every_row_has_a_test(self):
        tests = {name.split("_")[1] for name in dir(self) if name.startswith("test_") and name.endswith(("_now", "_before"))}
        self.assertEqual({who.lower().replace("::", "") for who in ROWS}, tests)

    def test_the_readme_has_the_same_lines(self):
        readme = {row[0]: [quoted(cell)[0] for cell in row[1:]] for row in Document("README.md").rows["Coming from"]}
        self.assertEqual(readme, {who: row[:2] for who, row in ROWS.items()})

    def under_supervisord(self, command):
        self.need("supervisord", "supervisorctl")
        self.shop(None)
        self.script("supervisorctl", 'exec %s -c supervisord.conf "$@"' % shutil.which("supervisorctl"))
        self.write("supervisord.conf", SUPERVISORD % command)
        return self.start("supervisord -c supervisord.conf")

    def test_supervisord_before(self):
        line, _, deploy, _ = ROWS["supervisord"]
        self.under_supervisord(line)
        answer = self.answers()
        self.sh(deploy)
        self.assertNotEqual(self.answers(), answer)

    def test_supervisord_now(self):
        _, line, _, deploy = ROWS["supervisord"]
        self.under_supervisord(line)
        self.answers()
        pid = self.sh("supervisorctl pid shop")
        self.reload_under_load(deploy)
        self.reload_under_load("graced reload shop", times=1)
        self.assertEqual(self.sh("supervisorctl pid shop"), pid)

    def test_pm2_before(self):
        self.need("pm2", "node")
        line, _, deploy, _ = ROWS["pm2"]
        self.addCleanup(lambda: self.sh("pm2 kill", code=None))
        self.sh(line)
        answer = self.answers()
        self.sh(deploy)
        wait_until(lambda: self.answers() != answer, self.said)

    def test_pm2_now(self):
        self.need("node")
        self.runs_now("pm2")

    def test_serverstarter_before(self):
        self.need("start_server")
        self.shop('int(os.environ["SERVER_STARTER_PORT"].split("=")[1])')
        self.ran_before("Server::Starter")

    def test_serverstarter_now(self):
        self.shop('int(os.environ["SERVER_STARTER_PORT"].split("=")[1])')
        self.runs_now("Server::Starter")

    def test_einhorn_now(self):
        # Einhorn::Worker.socket! looks at both.
        self.shop('int(os.environ["EINHORN_FD_0"]) if int(os.environ["EINHORN_FD_COUNT"]) == 1 else exit(3)', "USR2")
        self.runs_now("einhorn")

    def test_circus_now(self):
        self.shop('int(sys.argv[sys.argv.index("--fd") + 1])')
        self.runs_now("circus")

    def test_gunicorn_before(self):
        self.need("gunicorn")
        self.ran_before("gunicorn", workers=2)

    def test_gunicorn_now(self):
        self.need("gunicorn")
        self.runs_now("gunicorn")

    def has_uwsgi(self):
        self.need("uwsgi")
        if "no such file" in self.sh("uwsgi --plugin python3 --version", code=None).lower():
            self.skipTest("not installed: uwsgi-plugin-python3")

    def test_uwsgi_before(self):
        self.has_uwsgi()
        # TERM is a reload to it, and a HUP that comes before both have started takes a minute.
        self.ran_before("uwsgi", stop="INT", workers=2)

    def test_uwsgi_now(self):
        self.has_uwsgi()
        self.runs_now("uwsgi")

    def test_crank_now(self):
        self.shop('3 if os.environ["LISTEN_FDS"] == "1" else exit(3)')
        self.runs_now("crank")

    def test_socketmaster_now(self):
        self.shop('int(os.environ["EINHORN_FDS"].split()[0])')
        self.runs_now("socketmaster")


if __name__ == "__main__":
    main()
