"""Lines of workers in a real journal, with the fields that graced(1) promises, and graced logs, which leads there."""
import json, shlex, subprocess

from machine import SERVER, Case, main, run, wait_until, write

# Says something at both outputs, a line that goes on, and bytes that are no text; then it is the server of all tests.
TALKER = r"""#!/bin/sh
echo "build $(cat /run/build)"
echo '<4>the cache is cold' >&2
printf 'no \377 text\n' >&2
head -c 70000 /dev/zero | tr '\0' x
echo and so on
exec %s /run/build
""" % SERVER


class Journal(Case):
    def talking(self, *lines):
        """Its PID, and that of its worker."""
        write("/run/talker", TALKER)
        self.build("a")
        write(self.config, "\n".join(("command = /bin/sh /run/talker", "listen = " + self.where, *lines)) + "\n")
        r = self.systemctl("start", self.unit, ok=False)
        self.assertEqual(r.returncode, 0, r.stderr + self.journal())
        return self.main_pid(), self.status()["workers"][0]["pid"]

    def entries(self):
        """Of the unit since the test began; what is no UTF-8 as bytes."""
        def value(v):
            return bytes(v) if isinstance(v, list) else v
        # --all: also those that are longer than it would print else.
        run("journalctl", "--sync")
        text = run("journalctl", "--all", "--unit", self.unit, "--output", "json", *(self.cursor and ["--after-cursor", self.cursor])).stdout
        return [{k: value(v) for k, v in json.loads(line).items()} for line in text.splitlines()]

    def entry(self, what):
        """The first whose message ends with that, once it is there."""
        def found():
            for e in self.entries():
                message = e["MESSAGE"] if isinstance(e["MESSAGE"], bytes) else e["MESSAGE"].encode()
                if message.endswith(what.encode() if isinstance(what, str) else what):
                    return e
        return wait_until(found, lambda: "no %r in\n%s" % (what, self.journal()))

    def ours(self, entry):
        return {k: v for k, v in entry.items() if k.startswith("GRACED_")}

    def test_lines_of_workers_and_hooks_have_the_fields_that_the_manual_promises(self):
        graced, worker = self.talking("output = prefix", "on = reloaded=/bin/sh -c 'echo told; exit 5'")
        fields = {"GRACED_NAME": "demo", "GRACED_GENERATION": "1", "GRACED_WORKER": "0", "GRACED_WORKER_PID": str(worker)}
        who = "generation 1, worker 0, PID %d: " % worker
        for text, stream, priority in (("build a", "stdout", "6"), ("the cache is cold", "stderr", "4")):
            e = self.entry(text)
            self.assertEqual((e["MESSAGE"], e["PRIORITY"], e["SYSLOG_IDENTIFIER"]), (who + text, priority, "graced"))
            self.assertEqual(self.ours(e), {**fields, "GRACED_STREAM": stream})
            self.assertEqual((e["_PID"], e["_SYSTEMD_UNIT"]), (str(graced), self.unit))  # as the journal itself knows it
        self.assertEqual(self.entry(b"no \xff text")["MESSAGE"], who.encode() + b"no \xff text")
        rest = self.entry("and so on")
        self.assertEqual(self.ours(rest), {**fields, "GRACED_STREAM": "stdout", "GRACED_CONTINUES": "1"})

        self.build("b")
        self.systemctl("reload", self.unit)
        self.assertEqual(self.entry("build b")["GRACED_GENERATION"], "2")
        told = self.entry(": told")
        self.assertEqual(set(self.ours(told)), {"GRACED_NAME", "GRACED_WORKER_PID", "GRACED_STREAM"})
        self.assertEqual(told["GRACED_STREAM"], "stdout")
        self.assertIn("exited with status 5: told", self.entry("exited with status 5: told")["MESSAGE"])

        # Each instance, generation and worker is found by them.
        found = run("journalctl", "--output", "cat", "GRACED_NAME=demo", "GRACED_GENERATION=2", "GRACED_STREAM=stderr").stdout
        self.assertIn("the cache is cold", found)
        self.assertNotIn("generation 1", found)

    def test_logs_names_the_journalctl_that_shows_them_and_runs_it_to_follow(self):
        for output in "prefix", "plain":
            with self.subTest(output=output):
                self.talking("output = " + output)
                told = run("graced", "logs", "demo").stdout
                self.assertEqual(told, "demo: its lines are in the journal: journalctl -u graced@demo.service\n")
                run("journalctl", "--sync")
                self.assertIn("the cache is cold", run(*shlex.split(told.partition("journal: ")[2])).stdout)

                follower = subprocess.Popen(["graced", "logs", "demo", "-f", "-n", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                            errors="replace")
                self.addCleanup(follower.stderr.close)
                self.addCleanup(follower.stdout.close)
                self.addCleanup(follower.wait)
                self.addCleanup(follower.kill)
                self.assertEqual(follower.stderr.readline(), "graced: the lines of 'demo' are in the journal: "
                                                             "journalctl -u graced@demo.service -f -n2\n")
                first = follower.stdout.readline()  # it follows from here on
                self.assertTrue(first)
                self.build("followed with " + output)
                self.systemctl("reload", self.unit)
                while "build followed with " + output not in (line := follower.stdout.readline()):
                    self.assertTrue(line, "it has ended")
                self.systemctl("stop", self.unit)


if __name__ == "__main__":
    main()
