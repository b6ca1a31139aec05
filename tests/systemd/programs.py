"""The servers of tests/programs, each as a service of systemd would have it."""
import os, shutil, subprocess, unittest
from dataclasses import dataclass, field
from machine import HERE, run, write

PROGRAMS = os.path.join(HERE, "..", "programs")
SERVERS = "/usr/local/lib/graced-tests/servers"  # some become other users, who may not look into the tree
BUILT = os.environ["GRACED_PROGRAMS"]
HTTP = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"

NO_STDERR = ("/dev/stderr", "DIRECTORY/errors")  # a service's is a socket, which nobody can open


def runs(*command):
    """At all, however it ends."""
    try:
        return subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) >= 0
    except OSError:
        return False


@dataclass(frozen=True)
class Program:
    name: str
    of: str  # what it is tested in: tests/programs/…_test.py
    command: str  # for the shell, in a directory of its own, which DIRECTORY names; so do SERVERS and BUILT
    port: int = 8080
    asked: int = 0  # where clients ask, if it is somebody else who asks this one
    keeps: bool = True  # connections
    question: bytes = HTTP
    load: str = os.environ["GRACED_LOAD"]
    files: dict = field(default_factory=dict)  # name in its directory: one of SERVERS, or a pair: what is other in there
    environment: dict = field(default_factory=dict)
    beside: str = ""  # a command; what it asks, or asks it
    wants: tuple = ()  # paths in BUILT, and modules of Python as "python:NAME"
    options: tuple = ()  # of graced
    unit: tuple = ()  # lines of it
    certificate: bool = False

    def prepare(self):
        """The command; skips the test where something is not installed."""
        words = [w for part in (self.command, self.beside) for w in part.replace("exec ", "").split("&&")[-1].split()[:1]]
        for word in words:
            if not shutil.which(self.at(word), path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"):
                raise unittest.SkipTest("%s is not installed, or could not be built here" % word)
        for want in self.wants:
            if want.startswith("python:"):
                if run("/usr/bin/python3", "-c", "import " + want[7:], ok=False).returncode:
                    raise unittest.SkipTest("%s is not installed" % want[7:])
            elif not os.path.exists(os.path.join(BUILT, want)):
                raise unittest.SkipTest("%s could not be had here" % want)
        if "server-386" in self.command and not runs(self.at("BUILT/server-386"), "-help"):
            raise unittest.SkipTest("this kernel runs no 32-bit programs")
        shutil.copytree(os.path.join(PROGRAMS, "servers"), SERVERS, dirs_exist_ok=True)
        shutil.rmtree(self.directory, ignore_errors=True)
        self.write("index.html", "pid 0\n")
        for name, source in self.files.items():
            source, *changes = [source] if isinstance(source, str) else source
            with open(os.path.join(SERVERS, source)) as f:
                text = f.read()
            for old, new in changes:
                text = text.replace(old, self.at(new))
            self.write(name, text)
        if self.certificate:
            self.certify()
        if self.beside:
            self.script("beside", self.beside)
        return self.script("run", self.command)

    @property
    def directory(self):
        return "/run/programs/" + self.name

    def at(self, text):
        return text.replace("DIRECTORY", self.directory).replace("SERVERS", SERVERS).replace("BUILT", BUILT)

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        write(path, text)
        return path

    def script(self, name, command):
        environment = "".join("export %s=%s\n" % (key, self.at(value)) for key, value in self.environment.items())
        path = self.write(name, "#!/bin/sh\ncd %s\n%sexec %s\n" % (self.directory, environment, self.at(command)))
        os.chmod(path, 0o755)
        return path

    def certify(self):
        """key.pem and cert.pem, for itself, and both.pem."""
        key, certificate = (os.path.join(self.directory, name) for name in ("key.pem", "cert.pem"))
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=127.0.0.1",
            "-addext", "subjectAltName=IP:127.0.0.1", "-days", "30", "-keyout", key, "-out", certificate)
        with open(key) as k, open(certificate) as c:
            self.write("both.pem", c.read() + k.read())


def proxy(name, of, command, **more):
    """It has TLS, and asks node on port 9080."""
    return Program(name, of, command, beside="node SERVERS/streams.js --http 9080 --grpc 9051", wants=("node_modules",), certificate=True,
                   **{**more, "environment": {"NODE_PATH": "BUILT/node_modules", **more.get("environment", {})}})


TABLE = (
    Program("aiohttp", "aiohttp", "python3 SERVERS/streams.py DIRECTORY", wants=("python:aiohttp",), certificate=True),
    proxy("apache", "apache", "apache2 -D FOREGROUND -f DIRECTORY/apache.conf", environment={"DIRECTORY": "DIRECTORY"},
          files={"apache.conf": ("apache.conf", NO_STDERR)}),
    proxy("caddy", "caddy", "caddy run --adapter caddyfile --config SERVERS/Caddyfile",
          environment={"XDG_DATA_HOME": "DIRECTORY", "XDG_CONFIG_HOME": "DIRECTORY"}),
    Program("php_fpm", "fpm", "php-fpm8.2 --nodaemonize --fpm-config DIRECTORY/php-fpm.conf", port=9000, asked=8080, keeps=False,
            environment={"ADDRESS": "127.0.0.1:9000"}, beside="nginx -p DIRECTORY -c DIRECTORY/nginx.conf",
            files={"php-fpm.conf": ("php-fpm.conf", NO_STDERR),
                   "nginx.conf": ("nginx_fastcgi.conf", ("UPSTREAM", "127.0.0.1:9000"), ("SCRIPT;", "SERVERS/streams.php;"))}),
    Program("go", "go", "BUILT/server :8080"),
    Program("go_32_bit", "go", "BUILT/server-386 127.0.0.1:8080"),
    Program("go_with_tls", "go", "BUILT/streams DIRECTORY", certificate=True),
    Program("go_that_replaces_itself", "judged", "BUILT/endless :8080"),
    Program("gunicorn", "gunicorn", "gunicorn --chdir SERVERS -w 2 wsgi:app", port=8000, keeps=False),
    Program("gunicorn_with_threads", "gunicorn", "gunicorn --chdir SERVERS -w 2 --threads 4 wsgi:app", port=8000),
    Program("haproxy", "haproxy", "haproxy -db -f SERVERS/haproxy.cfg"),
    Program("haproxy_master", "haproxy", "haproxy -W -db -f SERVERS/haproxy.cfg"),
    proxy("haproxy_with_tls", "haproxy", "haproxy -db -f SERVERS/haproxy_streams.cfg", environment={"DIRECTORY": "DIRECTORY"}),
    Program("java", "java", "java -cp BUILT Server 8080", wants=("Server.class",), unit=("SuccessExitStatus=143",)),
    Program("nginx", "nginx", "nginx -p DIRECTORY -c DIRECTORY/nginx.conf", files={"nginx.conf": "nginx.conf"}),
    Program("nginx_with_reuseport", "nginx", "nginx -p DIRECTORY -c DIRECTORY/nginx.conf",
            files={"nginx.conf": ("nginx.conf", (":8080;", ":8080 reuseport;"))}),
    proxy("nginx_with_tls", "nginx", "nginx -p DIRECTORY -c DIRECTORY/nginx.conf", files={"nginx.conf": "nginx_streams.conf"}),
    Program("node", "node", "node SERVERS/server.js 8080"),
    Program("node_cluster", "node", "node SERVERS/cluster.js 8080"),
    Program("node_with_tls", "node", "node SERVERS/streams.js --http 8080 --tls 8443 --grpc 8051 --certificate DIRECTORY",
            certificate=True, wants=("node_modules",), environment={"NODE_PATH": "BUILT/node_modules"}),
    Program("php", "php", "php -S 127.0.0.1:8080 SERVERS/index.php", keeps=False),
    Program("python", "python", "python3 -m http.server 8080", keeps=False),
    Program("python_keep_alive", "python", "python3 SERVERS/keep_alive.py 8080"),
    Program("redis", "redis", "redis-server --save '' --dir DIRECTORY", port=6379, question=b"*1\r\n$4\r\nPING\r\n",
            load=os.path.join(PROGRAMS, "redis_load.py")),
    Program("squid", "second_instance", "squid --foreground -f DIRECTORY/squid.conf", beside="python3 SERVERS/keep_alive.py 9080",
            files={"squid.conf": ("squid.conf", ("PID_FILE", "none"))}),
    # The port of its command line interface is another one each time. At its end it opens its address again, and finds
    # somebody there.
    Program("varnish", "second_instance", "varnishd -F -n DIRECTORY/v.$GRACED_GENERATION -a 127.0.0.1:8080 -f SERVERS/varnish.vcl",
            options=("adopt-changes = allow",), unit=("SuccessExitStatus=1",)),
    Program("hypnotoad", "second_instance", "hypnotoad -f DIRECTORY/app.pl",
            files={"app.pl": ("hypnotoad.pl", ("PID_FILE", "DIRECTORY/hypnotoad.$ENV{GRACED_GENERATION}"))}),
    Program("uvicorn", "uvicorn", "uvicorn --app-dir SERVERS --no-access-log asgi:app", port=8000),
)

# UDP is not taken over: nobody can bind it beside them…
ALONE_ON_UDP = (
    Program("caddy_with_http_3", "h3", "caddy run --adapter caddyfile --config SERVERS/Caddyfile.h3", port=8443, certificate=True,
            environment={"XDG_DATA_HOME": "DIRECTORY", "XDG_CONFIG_HOME": "DIRECTORY"}),
)

# …or they ask for SO_REUSEPORT.
SHARES_UDP = (
    Program("unbound", "dns", "unbound -d -c SERVERS/unbound.conf", port=53),
    Program("dnsmasq", "dns", "dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --address=/a.test/192.0.2.7"
            " --listen-address=127.0.0.1 --bind-interfaces --pid-file= --user=root --group=root", port=53),
)

# Files of tests/programs of which nothing is in the tables, and why.
NOT_HERE = {
    "deploy": "its servers are those of go, node and nginx",
    "event_loops": "its servers have their sockets of graced, and listen on none without it",
    "unix": "its server listens on a unix socket alone",
    "taken": "it takes the same servers, started by hand",
    "upgraded": "it reloads the same servers, and upgrades graced between",
}
