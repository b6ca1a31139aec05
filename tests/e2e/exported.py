"""graced-exporter as tests run it: on a port of its own, in a place where it sees nobody else's instances."""
import http.client, json, os, re, signal, subprocess, threading, unittest

from alone import ALONE, can_be_alone
from harness import GRACED, PATIENCE, Case

EXPORTER = os.path.join(os.path.dirname(GRACED), "graced-exporter")


class Exporter:
    def __init__(self, *options, within=(), env=None, address=None, **more):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GRACED_")}
        for name in ("NOTIFY_SOCKET", "XDG_RUNTIME_DIR", "RUNTIME_DIRECTORY"):
            environment.pop(name, None)
        environment.update(env or {})
        listen = () if address else ("--listen", "127.0.0.1:0")
        self.process = subprocess.Popen([*within, EXPORTER, *listen, *options], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        env=environment, text=True, **more)
        said = self.process.stderr.readline()
        found = re.search(r"listening on tcp 127\.0\.0\.1:(\d+)", said)
        if not found and not address:
            raise AssertionError(said + self.process.stderr.read())
        self.address = address or ("127.0.0.1", int(found.group(1)))
        self.rest = []  # of stderr, so that it is never in the way
        self.reader = threading.Thread(target=lambda: self.rest.extend(self.process.stderr))
        self.reader.start()

    def ask(self, path, method="GET", **headers):
        """(status, headers, body)"""
        connection = http.client.HTTPConnection(*self.address, timeout=PATIENCE)
        try:
            connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def json(self, path):
        status, headers, body = self.ask("/api/v1" + path)
        assert status == 200 and headers["Content-Type"] == "application/json", (status, body)
        return json.loads(body)

    def metrics(self):
        """{'graced_up{name="t"}': 1.0, …}"""
        status, _, body = self.ask("/metrics")
        assert status == 200, body
        lines = [line.rpartition(" ") for line in body.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in lines}

    def resident(self):
        """Bytes."""
        with open("/proc/%d/statm" % self.process.pid) as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def end(self):
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join()
        self.process.stderr.close()


class Events:
    """What /api/v1/events says, from the moment in which it has begun."""

    def __init__(self, exporter, **headers):
        self.connection = http.client.HTTPConnection(*exporter.address, timeout=PATIENCE)
        self.connection.request("GET", "/api/v1/events", headers={k.replace("_", "-"): v for k, v in headers.items()})
        self.answer = self.connection.getresponse()
        self.status = self.answer.status
        if self.status == 200:
            self.next()  # the words at its beginning

    def next(self):
        """The fields of the next one; {} is a comment."""
        fields = {}
        while line := self.answer.readline():
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if line == b"\n":
                return fields
            if name:
                fields[name] = value
        raise AssertionError("the events have ended")

    def wait(self, event):
        while True:
            fields = self.next()
            if fields.get("event") == event:
                return fields, json.loads(fields["data"])

    def close(self):
        self.connection.close()


@unittest.skipUnless(can_be_alone(), "needs a mount namespace")
class ExportedCase(Case):
    def exporter(self, *instances, options=(), **more):
        controls = [word for g in instances for word in ("--control", g.control)]
        if "--time-limit" not in options:
            options = (*options, "--time-limit", "10s")  # on a crowded machine an instance may take its time
        e = Exporter(*controls, *options, within=ALONE, **more)
        self.addCleanup(e.close)
        return e

    def events(self, exporter, **headers):
        events = Events(exporter, **headers)
        self.addCleanup(events.close)
        return events

    def end_of(self, pid):
        """Of a worker whose graced was killed."""
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
