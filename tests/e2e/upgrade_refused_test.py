"""What cannot take over from graced is refused, or graced comes back from it: each time with the reason, and nothing has
changed."""
import os, shutil, subprocess
import own_network
from harness import GRACED, NOBODY, main
from upgrading import NEXT, UpgradeCase, bad_image


def setUpModule():
    own_network.enter()


class Refused(UpgradeCase):
    def setUp(self):
        super().setUp()
        self.g = self.serving()
        self.before = self.came_to_rest(self.g)
        self.failed = 0

    def fails(self, binary, *why, history=True):
        answer = self.upgrade(self.g, binary)
        self.assertEqual(answer.returncode, 1, answer.stdout + answer.stderr + self.g.said())
        for words in why:
            self.assertIn(words, answer.stderr)
        self.assertEqual(len(answer.stderr.strip().splitlines()), 1, answer.stderr)
        self.assert_image(self.g, GRACED)
        self.assert_as_before(self.g, self.before)
        self.assertIn("generation 1 ", self.g.ask())
        if history:
            last = self.history(self.g)[-1]
            self.assertEqual(last["event"], "upgrade-failed", last)
            for words in why:
                self.assertIn(words, last["reason"])

    def a_good_one_can_still_take_over(self):
        self.upgraded(self.g, NEXT)
        self.assert_as_before(self.g, self.before)
        self.assertEqual(self.g.reload().returncode, 0, self.g.said())
        self.assertEqual(self.g.end(), 0, self.g.said())

    def image(self, how):
        return bad_image(self.path(how), how)

    def test_what_is_no_program_for_this_machine(self):
        self.fails(self.path("missing"), self.path("missing"), "No such file or directory")
        os.mkdir(self.path("directory"))
        self.fails(self.path("directory"), "is no regular file")
        os.chmod(self.image("noexec"), 0o644)
        self.fails(self.path("noexec"), "is not executable: Permission denied")
        self.fails(self.write("script", "#!/bin/sh\nexit 0\n", 0o755), "is a script: only an ELF file can take over")
        part = shutil.copy(NEXT, self.path("part"))
        os.truncate(part, os.path.getsize(part) // 2)
        self.fails(part, "is truncated")
        with open(shutil.copy(NEXT, self.path("foreign")), "r+b") as f:
            f.seek(18)
            f.write(b"\xf7\0")  # e_machine: BPF
        self.fails(self.path("foreign"), "is an ELF file of another machine")
        self.a_good_one_can_still_take_over()

    def test_what_fails_on_trial(self):
        self.fails(self.image("exits-1"), "it exited with status 1: a library is missing")
        self.fails(self.image("aborts"), "it was killed by SIGABRT")
        self.fails(self.image("hangs"), "it did not answer and end within 5s")
        self.fails(self.image("refuses"), "it does not read states of format 1")
        self.fails("/bin/true", "it ended without an answer")
        self.a_good_one_can_still_take_over()

    def test_what_passes_the_trial_and_fails_then(self):
        self.fails(self.image("crashes-after"), "it was hit by SIGSEGV")
        self.fails(self.image("aborts-after"), "it was hit by SIGABRT")
        self.fails(self.image("throws-after"), "it lost its way")
        self.fails(self.image("exits-after"), "it called exit")
        self.fails(self.image("hangs-after"), "it did not take over in time")
        self.a_good_one_can_still_take_over()

    def test_the_file_of_the_image_before_may_be_gone_by_then(self):
        own = shutil.copy(GRACED, self.path("graced.own"))
        self.upgraded(self.g, own)
        os.unlink(own)
        answer = self.upgrade(self.g, self.image("aborts-after"))
        self.assertEqual(answer.returncode, 1, answer.stdout)
        self.assertIn("it was hit by SIGABRT", answer.stderr)
        self.assertEqual(os.readlink("/proc/%d/exe" % self.g.pid), own + " (deleted)")
        self.assert_as_before(self.g, self.before)
        self.a_good_one_can_still_take_over()


class FewerRights(UpgradeCase):
    def test_a_file_with_capabilities_of_its_own_is_refused(self):
        """They would be all that it has: the kernel clears what graced has handed on."""
        if os.geteuid() != 0 or not shutil.which("setcap"):
            self.skipTest("needs root, and setcap")
        ambient = ("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "--inh-caps", "-all,+net_bind_service",
                   "--ambient-caps", "-all,+net_bind_service")
        g = self.serving(within=("sh", "-c", '"$@"; exit $?', "sh", *ambient), preexec=self.give_to_nobody)
        before = self.came_to_rest(g)
        image = shutil.copy(NEXT, self.path("capable"))
        given = subprocess.run(["setcap", "cap_chown+ep", image], capture_output=True, text=True)  # which a chown(2) takes away
        if given.returncode != 0:
            self.skipTest("no file here can have capabilities: " + given.stderr)
        answer = self.upgrade(g, image)
        self.assertEqual(answer.returncode, 1, answer.stdout + answer.stderr)
        self.assertIn("would not have the capabilities that graced has now: net_bind_service", answer.stderr)
        self.assert_as_before(g, before)
        self.assertEqual(self.upgrade(g, NEXT).returncode, 0, g.said())
        self.assert_as_before(g, before)

    def give_to_nobody(self):
        for path in [self.directory, *map(self.path, os.listdir(self.directory))]:
            os.chown(path, NOBODY, NOBODY)


if __name__ == "__main__":
    main()
