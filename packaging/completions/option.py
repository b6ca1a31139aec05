"""One option, as the help tells it, and how zsh and fish are told of it."""

import re
from dataclasses import dataclass

SIGNALS = "TERM INT QUIT HUP USR1 USR2 WINCH"
RESOURCES = "as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack"


@dataclass
class Option:
    name: str
    letter: str
    argument: str
    summary: str
    repeatable: bool

    def typed(self):
        return [*([f"-{self.letter}"] if self.letter else []), f"--{self.name}"]

    def words(self):
        """What its value may be, where that can be listed; a word that goes on ends in ':' or '='."""
        if self.argument == "SIG":
            return SIGNALS.split()
        if self.name == "rlimit":
            return [f"{resource}=" for resource in RESOURCES.split()]
        if self.argument == "KEY":  # its help lists them
            return re.findall(r"\w+", self.summary.replace(" or ", " "))
        return [word.removesuffix("TIME") for word in self.argument.split("|") if re.match(r"[a-z-]+(:TIME)?$", word)]

    def kind(self):
        """What its value is, where the shell can list that."""
        kinds = {"FILE": "file", "PATH": "file", "DIR": "directory", "USER": "user", "GROUP": "group", "COMMAND": "command"}
        return kinds.get(self.argument)


def shell_quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def zsh_action(option):
    if option.words():
        return "(" + " ".join(word.replace(":", r"\:") for word in option.words()) + ")"
    return {"file": "_files", "directory": "_files -/", "user": "_users", "group": "_groups", "command": "_command_names -e"}.get(option.kind(), "")


def zsh_option(option):
    what = option.argument.replace("…", "...").replace("[", "").replace("]", "")
    tail = "[" + re.sub(r"([][\\])", r"\\\1", option.summary) + "]"
    if option.argument:
        tail += ":" + what.replace(":", "\\:") + ":" + zsh_action(option)
    tail = shell_quoted(tail)
    long = f"--{option.name}{'=' if option.argument else ''}"
    if not option.letter:
        return f"{chr(39) + '*' + chr(39) if option.repeatable else ''}{long}{tail}"
    first = "'*'" if option.repeatable else f"'(-{option.letter} --{option.name})'"
    return f"{first}{{-{option.letter},{long}}}{tail}"


def fish_quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def fish_option(where, option):
    """where: the command that it is an option of, as complete(1) is told it."""
    line = f"complete {where} -l {option.name}"
    if option.letter:
        line += f" -s {option.letter}"
    if option.argument:
        line += " -r" if option.kind() == "file" else " -x"
        actions = {"file": "", "directory": "(__fish_complete_directories)", "user": "(__fish_complete_users)", "group": "(__fish_complete_groups)", "command": "(__fish_complete_command)"}
        action = " ".join(option.words()) or actions.get(option.kind(), "")
        if option.kind() == "file":
            line += " -F"
        elif action:
            line += f" -a {fish_quoted(action)}"
    return f"{line} -d {fish_quoted(option.summary)}"
