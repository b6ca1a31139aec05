# shellcheck shell=bash
# bash completion for graced, written by packaging/completions/generate from the help of graced; do not edit.

# One instance a line.
_graced_instances() {
  graced list --json 2>/dev/null | sed -n 's/^    "name": "\(.*\)",$/\1/p'
}

_graced_words() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current")
  [[ ${COMPREPLY-} != *[:=] ]] || compopt -o nospace 2>/dev/null
}

_graced_of() {
  mapfile -t COMPREPLY < <(compgen "$1" -- "$current")
  case $1 in -d | -f) compopt -o filenames 2>/dev/null ;; esac
}

_graced_names() {
  local IFS=$'\n'
  mapfile -t COMPREPLY < <(compgen -W "$(_graced_instances)" -- "$current")
}

_graced_value() {
  case "$command $previous" in
    "run --adopt" | "check --adopt") _graced_words "auto on off" ;;
    "run --adopt-changes" | "check --adopt-changes") _graced_words "allow refuse" ;;
    "run --take-stop" | "run --check" | "run --gate" | "check --take-stop" | "check --check" | "check --gate") _graced_of -c ;;
    "run --udp-flows" | "check --udp-flows") _graced_words "off" ;;
    "run -w" | "run --workers" | "check -w" | "check --workers") _graced_words "auto" ;;
    "run --restart" | "check --restart") _graced_words "always on-failure never" ;;
    "run --stderr" | "run --stdout" | "check --stderr" | "check --stdout") _graced_words "watch inherit" ;;
    "run --output" | "check --output") _graced_words "plain prefix prefix-time" ;;
    "run --ready" | "check --ready") _graced_words "auto notify listen after:" ;;
    "run --max-surge" | "check --max-surge") _graced_words "all" ;;
    "run --drain" | "check --drain") _graced_words "auto signal idle" ;;
    "run --drain-signal" | "check --drain-signal") _graced_words "TERM INT QUIT HUP USR1 USR2 WINCH" ;;
    "run --env-file" | "run --config" | "run --control" | "run --pid-file" | "check --env-file" | "check --config" | "check --control" | "check --pid-file" | "reload --control" | "rollback --control" | "abort --control" | "stop --control" | "upgrade --control" | "upgrade --binary" | "hammer --control" | "status --control" | "history --control" | "events --control" | "logs --control" | "top --control") _graced_of -f ;;
    "run --chdir" | "check --chdir") _graced_of -d ;;
    "run --user" | "check --user") _graced_of -u ;;
    "run --group" | "check --group") _graced_of -g ;;
    "run --rlimit" | "check --rlimit") _graced_words "as= core= cpu= data= fsize= locks= memlock= msgqueue= nice= nofile= nproc= rss= rtprio= rttime= sigpending= stack=" ;;
    "run --log-format" | "check --log-format") _graced_words "auto text json journal" ;;
    "run --log-level" | "check --log-level") _graced_words "error warning info debug" ;;
    "top --sort") _graced_words "name phase connections queue cpu memory reloads" ;;
    "run -l" | "run --listen" | "run --take" | "run --udp-flow-timeout" | "run --restart-delay" | "run --start-limit" | "run --ready-timeout" | "run --probe" | "run --canary" | "run --on" | "run --probation" | "run --drain-idle" | "run --drain-timeout" | "run --drain-grace" | "run --stop-timeout" | "run --max-draining" | "run --draining-memory-high" | "run --env" | "run --umask" | "run --keep-capabilities" | "run --name" | "run --notify-fd" | "check -l" | "check --listen" | "check --take" | "check --udp-flow-timeout" | "check --restart-delay" | "check --start-limit" | "check --ready-timeout" | "check --probe" | "check --canary" | "check --on" | "check --probation" | "check --drain-idle" | "check --drain-timeout" | "check --drain-grace" | "check --stop-timeout" | "check --max-draining" | "check --draining-memory-high" | "check --env" | "check --umask" | "check --keep-capabilities" | "check --name" | "check --notify-fd" | "reload --jobs" | "reload --wait" | "stop --wait" | "upgrade --wait" | "history -n" | "history --last" | "events --until" | "events --timeout" | "logs -n" | "logs --last") ;;
    *) return 1 ;;
  esac
  return 0
}

# Where COMMAND stands among the words, 0 if it has not begun.
_graced_command_at() {
  local at=2
  while ((at < COMP_CWORD)); do
    case ${COMP_WORDS[at]} in
      --)
        echo $((at + 1))
        return
        ;;
      -l | --listen | --adopt | --adopt-changes | --take | --take-stop | --udp-flows | --udp-flow-timeout | -w | --workers | --restart | --restart-delay | --start-limit | --stderr | --stdout | --output | --ready | --ready-timeout | --check | --probe | --canary | --gate | --on | --probation | --max-surge | --drain | --drain-idle | --drain-signal | --drain-timeout | --drain-grace | --stop-timeout | --max-draining | --draining-memory-high | --env-file | --env | --chdir | --user | --group | --umask | --rlimit | --keep-capabilities | --name | --config | --control | --pid-file | --notify-fd | --log-format | --log-level)
        [[ ${COMP_WORDS[at + 1]-} != = ]] || at=$((at + 1))
        at=$((at + 2))
        ;;
      -*) at=$((at + 1)) ;;
      *)
        echo "$at"
        return
        ;;
    esac
  done
  echo 0
}

_graced() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} options=''
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    _graced_words "run check reload rollback abort stop upgrade hammer status history events logs list top help --help --version"
    return
  fi

  case $command in
    run|check)
      local at
      at=$(_graced_command_at)
      if ((at > 0)); then
        if declare -F _command_offset >/dev/null; then
          _command_offset "$at"
        elif ((COMP_CWORD == at)); then
          _graced_of -c
        else
          compopt -o default 2>/dev/null
        fi
        return
      fi
      ;;
  esac

  # --option=value is three words.
  if [[ $current == = ]]; then
    current=''
  elif [[ $previous == = ]] && ((COMP_CWORD > 3)); then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  if _graced_value; then return; fi

  case $command in
    run) options="-l --listen --adopt --adopt-changes --take --take-stop --udp-flows --udp-flow-timeout -w --workers --restart --restart-delay --start-limit --stderr --stdout --output --ready --ready-timeout --check --probe --canary --gate --on --probation --max-surge --drain --drain-idle --drain-signal --drain-timeout --drain-grace --stop-timeout --max-draining --draining-memory-high --env-file --env --chdir --user --group --umask --rlimit --keep-capabilities --name --config --control --pid-file --notify-fd --daemonize --self-upgrade --log-format --log-level -h --help --version" ;;
    check) options="-l --listen --adopt --adopt-changes --take --take-stop --udp-flows --udp-flow-timeout -w --workers --restart --restart-delay --start-limit --stderr --stdout --output --ready --ready-timeout --check --probe --canary --gate --on --probation --max-surge --drain --drain-idle --drain-signal --drain-timeout --drain-grace --stop-timeout --max-draining --draining-memory-high --env-file --env --chdir --user --group --umask --rlimit --keep-capabilities --name --config --control --pid-file --notify-fd --daemonize --self-upgrade --log-format --log-level -h --help --version" ;;
    reload) options="--control --settled --all --jobs --stop-at-first-failure --wait --no-wait -h --help" ;;
    rollback) options="--control -h --help" ;;
    abort) options="--control -h --help" ;;
    stop) options="--control --wait --no-wait -h --help" ;;
    upgrade) options="--control --all --opted-in --binary --check --wait -h --help" ;;
    hammer) options="--control -h --help" ;;
    status) options="--control --json --ready --alive -h --help" ;;
    history) options="--control --json -n --last -h --help" ;;
    events) options="--control --json --until --timeout -h --help" ;;
    logs) options="--control -f --follow -n --last -h --help" ;;
    list) options="--json -h --help" ;;
    top) options="--control --sort -h --help" ;;
    help) options="" ;;
  esac
  if [[ $current == -* ]]; then
    _graced_words "$options"
    return
  fi
  case $command in
    run|check) _graced_of -c ;;
    reload|rollback|abort|stop|upgrade|hammer|status|history|events|logs|top) _graced_names ;;
    help) _graced_words "run check reload rollback abort stop upgrade hammer status history events logs list top help" ;;
  esac
}

complete -F _graced graced
