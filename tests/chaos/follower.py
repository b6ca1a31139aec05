"""Follows a graced as a program would: each line is an event as the schema has it, and none is told twice."""
import json, os, subprocess, threading

from schema import assert_valid

GRACED = os.environ["GRACED_BINARY"]


class Follower:
    def __init__(self, control):
        self.there = False  # graced is, and is followed
        self.wrong = None  # what a line had wrong that came first
        self.lines = 0
        self.told = set()
        self.served = []  # (when, generation), from then on
        self.process = subprocess.Popen([GRACED, "events", "--json", "--control", control], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines += 1
            try:
                self._look_at(assert_valid("event", json.loads(line)))
            except (AssertionError, ValueError) as why:
                self.wrong = self.wrong or str(why)

    def _look_at(self, event):
        once = event["event"], event["generation"], event["monotonic_s"]
        assert once not in self.told, "told twice: %s" % json.dumps(event)
        self.told.add(once)
        if event["serving"] and (not self.served or self.served[-1][1] != event["serving"]):
            self.served.append((event["monotonic_s"], event["serving"]))
        if event["event"].startswith(("instance-", "events-")):
            self.there = event["event"] == "instance-found"

    def close(self):
        self.process.kill()
        self.process.wait()
        self.thread.join()
        self.process.stdout.close()
