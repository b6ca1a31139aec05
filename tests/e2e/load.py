"""graced-load beside what a test does. GRACED_LOAD names it."""
import json, os, signal, subprocess

PATIENCE = 120  # seconds; how long its report may take on a slow, crowded machine


class Load:
    """Requests by the clock, each on a connection of its own, until it is told to report."""

    def __init__(self, *options):
        self.process = subprocess.Popen([os.environ["GRACED_LOAD"], "--time", "600s", "--timeout", "60s", "--rate", "200", "--follow",
                                         *options], stdout=subprocess.PIPE, text=True)
        try:
            self.next_pid()
        except BaseException:
            self.close()
            raise

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
