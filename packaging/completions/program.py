"""Completions of a program that has options and no commands, from its --help."""

import os
import re
import subprocess

from option import Option, fish_option, zsh_option

KINDS = {"directory": "-d", "user": "-u", "group": "-g", "command": "-c", "file": "-f"}


def options_of(program):
    text = subprocess.run([program, "--help"], check=True, capture_output=True, text=True, env={**os.environ, "COLUMNS": "100"}).stdout
    for entry in re.split(r"\n(?=  -)", text)[1:]:
        name, argument, words = re.match(r"  --([\w-]+)(?: ([A-Z]+))?(?: \(=\S+\))?\s+(.*)", entry, re.S).groups()
        summary = re.split(r"; | \(repeatable\)", " ".join(words.split()))[0]
        yield Option(name, "", argument or "", summary, "(repeatable)" in words)


def bash(name, options, origin):
    function = "_" + name.replace("-", "_")
    values = "".join(f"""    --{o.name})
      mapfile -t COMPREPLY < <(compgen {KINDS[o.kind()]} -- "$current")
      compopt -o filenames 2>/dev/null
      return
      ;;
""" for o in options if o.kind())
    nothing = " | ".join("--" + o.name for o in options if o.argument and not o.kind())
    return f"""# shellcheck shell=bash
# bash completion for {name}, {origin}

{function}() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}}
  COMPREPLY=()
  # --option=value is three words.
  if [[ $current == = ]]; then
    current=''
  elif [[ $previous == = ]] && ((COMP_CWORD > 2)); then
    previous=${{COMP_WORDS[COMP_CWORD - 2]}}
  fi
  case $previous in
{values}    {nothing}) return ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "{" ".join("--" + o.name for o in options)}" -- "$current")
}}

complete -F {function} {name}
"""


def zsh(name, options, origin):
    lines = " \\\n  ".join(zsh_option(o) for o in options)
    return f"#compdef {name}\n# zsh completion for {name}, {origin}\n\n_arguments -s -S \\\n  {lines}\n"


def fish(name, options, origin):
    lines = "\n".join(fish_option("-c " + name, o) for o in options)
    return f"# fish completion for {name}, {origin}\n\ncomplete -c {name} -f\n{lines}\n"


def completions(program):
    """By the names of their files. program: the path of it."""
    options = list(options_of(program))
    if len(options) < 5:
        raise SystemExit(f"only {len(options)} options of {program.name} were found: has its help changed?")
    origin = f"written by packaging/completions/generate from the help of {program.name}; do not edit."
    return {program.name + ".bash": bash(program.name, options, origin), "_" + program.name: zsh(program.name, options, origin),
            program.name + ".fish": fish(program.name, options, origin)}
