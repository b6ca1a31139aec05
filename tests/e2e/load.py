"""graced-load beside what a test does. GRACED_LOAD names it."""
import json, os, signal, subprocess

from waiting import PATIENCE


class LoadProcess:
    """A load generator that runs until it is told to report."""

    def __init__(self, program, *options):
        self.process = subprocess.Popen([program, "--time", "600s", "--timeout", "60s", "--follow", *options],
                                        stdout=subprocess.PIPE, text=True)

    def began(self):
        """Waits for the first answer."""
        line = self.process.stdout.readline()
        if not line or '"failures"' in line:  # that is a report
            raise AssertionError("%s ended without an answer: %s" % (self.process.args, line))

    def next_pid(self):
        """Waits for an answer of a process that has not answered before."""
        return json.loads(self.process.stdout.readline())["new_pid"]

    def report(self):
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=PATIENCE)
        return json.loads(out.strip().splitlines()[-1])

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Load(LoadProcess):
    """Requests by the clock, each on a connection of its own; the first is answered."""

    def __init__(self, *options):
        super().__init__(os.environ["GRACED_LOAD"], "--rate", "200", *options)
        try:
            self.began()
        except BaseException:
            self.close()
            raise


def assert_nothing_lost(case, report, more_than=10):
    case.assertEqual((report["failed"], report["soft"]), (0, 0), report)
    case.assertGreater(report["answered"], more_than)


def reload_under_load(case, address, reload, serves, generations):
    """reload() to each of these generations, until serves(generation): it is seen to answer, and no request is lost."""
    load = Load(address)
    try:
        for generation in generations:
            reload()
            serves(generation)
            load.next_pid()
        report = load.report()
    finally:
        load.close()
    assert_nothing_lost(case, report, more_than=len(generations))
