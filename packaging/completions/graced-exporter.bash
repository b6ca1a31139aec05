# shellcheck shell=bash
# bash completion for graced-exporter, written by packaging/completions/generate from the help of graced-exporter; do not edit.

_graced_exporter() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  # --option=value is three words.
  if [[ $current == = ]]; then
    current=''
  elif [[ $previous == = ]] && ((COMP_CWORD > 2)); then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  case $previous in
    --control)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      compopt -o filenames 2>/dev/null
      return
      ;;
    --listen | --time-limit) return ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "--listen --control --time-limit --show-secrets --help --version" -- "$current")
}

complete -F _graced_exporter graced-exporter
