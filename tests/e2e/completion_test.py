"""What bash, zsh and fish offer when Tab is pressed after `graced …`. Where a shell is not installed its
tests are skipped."""
import os, select, shutil, subprocess, time
from harness import Case, GRACED, HERE, Manager, PATIENCE, WORKER, main

COMPLETIONS = os.path.join(HERE, "..", "..", "packaging", "completions")

# Asks the completion function as bash does, words cut at '=' and ':' as its COMP_WORDBREAKS cut them.
BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
"_${1//-/_}"
printf '%s\\n' "${COMPREPLY[@]}"
"""

# compadd is asked for what it would add.
ZSH = """
fpath=("$1" $fpath)
autoload -U compinit
compinit -u -D
zstyle ':completion:*' completer _complete
compadd() {
  local -a kept
  # With -O, -A or -D it computes and adds nothing.
  [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]] || { builtin compadd -A kept "$@"; print -rl -- $kept >>$OFFERED }
  builtin compadd "$@"
}
offers_end() { print done >>$OFFERED }
zle -N offers_end
bindkey '^T' complete-word
bindkey '^O' offers_end
PS1=''
print ready
"""


class Completion(Case):
    def setUp(self):
        super().setUp()
        self.shell = self.path("bin")
        os.mkdir(self.shell)
        for name in "graced", "graced-exporter":
            os.symlink(os.path.join(os.path.dirname(GRACED), name), os.path.join(self.shell, name))
        self.env = {**os.environ, "PATH": self.shell + ":" + os.environ["PATH"], "XDG_RUNTIME_DIR": self.path("run"),
                    "HOME": self.directory, "TERM": "dumb"}

    def needs(self, shell):
        if not shutil.which(shell):
            self.skipTest(shell + " is not installed")

    def instance(self):
        """One that graced finds by itself; its name."""
        name = "completion-%d" % os.getpid()
        os.mkdir(self.path("run"), 0o700)
        manager = Manager(self.path("manager"))
        self.addCleanup(manager.close)
        process = subprocess.Popen([GRACED, "run", "--name", name, "-l", "127.0.0.1:0", "--", WORKER, "ready", "serve"],
                                   env={**self.env, "NOTIFY_SOCKET": manager.path}, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        manager.wait("READY=1")
        return name

    def offers_the_right_things(self):
        self.assertEqual(self.offered("graced", "re"), ["reload"])
        self.assertIn("status", self.offered("graced", ""))
        self.assertIn("--ready-timeout", self.offered("graced", "run", "--ready-"))
        self.assertIn("--drain-signal", self.offered("graced", "run", "--workers", "2", "--drain-"))
        self.assertIn("on-failure", self.offered("graced", "run", "--restart", ""))
        self.assertIn("auto", self.offered("graced", "run", "-w", ""))
        self.assertIn("TERM", self.offered("graced", "run", "--drain-signal", "T"))
        self.assertIn("nofile=", self.offered("graced", "run", "--rlimit", "no"))
        self.assertIn("root", self.offered("graced", "run", "--user", "roo"))
        self.assertIn("--alive", self.offered("graced", "status", "--"))
        self.assertNotIn("--wait", self.offered("graced", "status", "--"))
        self.assertIn("hammer", self.offered("graced", "help", "h"))
        self.write("shop.conf", "")
        self.assertIn("shop.conf", [os.path.basename(w) for w in self.offered("graced", "run", "--config", self.path("shop.c"))])
        # Behind COMMAND nothing is an option of graced any more.
        self.assertIn("uname", self.offered("graced", "run", "-l", "8080", "unam"))
        for words in (("app", "--ready-"), ("--", "app", "--ready-"), ("-w", "2", "app", "--ready-")):
            self.assertNotIn("--ready-timeout", self.offered("graced", "run", *words))
        name = self.instance()
        for command in ("reload", "abort", "stop", "hammer", "status", "history", "events"):
            self.assertEqual(self.offered("graced", command, name[:-1]), [name])

        self.assertIn("--show-secrets", self.offered("graced-exporter", "--s"))
        self.assertIn("--time-limit", self.offered("graced-exporter", "--show-secrets", "--ti"))
        self.assertNotIn("--listen", self.offered("graced-exporter", "--s"))
        self.assertNotIn("shop.conf", self.offered("graced-exporter", "--listen", ""))
        self.assertIn("shop.conf", [os.path.basename(w) for w in self.offered("graced-exporter", "--control", self.path("shop.c"))])

    def test_bash(self):
        self.offered = lambda *words: subprocess.run(
            ["bash", "--norc", "--noprofile", "-c", BASH, "bash", os.path.join(COMPLETIONS, words[0] + ".bash"), *words], env=self.env,
            cwd=self.directory, check=True, capture_output=True, text=True, timeout=PATIENCE).stdout.split()
        self.offers_the_right_things()
        self.assertEqual(self.offered("graced", "run", "--log-format", "=", "jo"), ["journal"])
        self.assertEqual(self.offered("graced", "run", "--restart", "=", "never", "ap", "--ready-"), [])

    def test_fish(self):
        self.needs("fish")

        def offered(*words):
            line = " ".join(words)
            script = "source %s/%s.fish; complete -C %s" % (COMPLETIONS, words[0], "'%s'" % line)
            out = subprocess.run(["fish", "--no-config", "-c", script], env=self.env, cwd=self.directory, check=True,
                                 capture_output=True, text=True, timeout=PATIENCE).stdout
            return [each.partition("\t")[0] for each in out.splitlines()]

        self.offered = offered
        self.offers_the_right_things()
        self.assertIn("--log-format=journal", self.offered("graced", "run", "--log-format=jo"))

    def test_zsh(self):
        self.needs("zsh")

        def offered(*words):
            import pty

            offers = self.write("offered", "")
            script = self.write("rc", ZSH.replace("$1", COMPLETIONS))
            ours, theirs = pty.openpty()
            shell = subprocess.Popen(["zsh", "-f", "-i"], env={**self.env, "OFFERED": offers}, cwd=self.directory, stdin=theirs,
                                     stdout=theirs, stderr=theirs, start_new_session=True, close_fds=True)
            os.close(theirs)
            try:
                os.write(ours, ("source %s\n" % script).encode())
                self.read(ours, b"ready\r\n")
                os.write(ours, (" ".join(words) + "\x14\x0f").encode())
                end = time.monotonic() + PATIENCE
                while True:
                    with open(offers) as f:
                        lines = f.read().splitlines()
                    if "done" in lines:
                        return lines[: lines.index("done")]
                    self.assertLess(time.monotonic(), end, "zsh does not come to an end")
                    self.drain(ours, 0.02)
            finally:
                os.close(ours)
                shell.kill()
                shell.wait()

        self.offered = offered
        self.offers_the_right_things()

    def drain(self, terminal, patience):
        return os.read(terminal, 65536) if select.select([terminal], [], [], patience)[0] else b""

    def read(self, terminal, words):
        end, heard = time.monotonic() + PATIENCE, b""
        while words not in heard:
            self.assertLess(time.monotonic(), end, heard)
            heard += self.drain(terminal, 1)


if __name__ == "__main__":
    main()
