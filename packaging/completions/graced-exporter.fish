# fish completion for graced-exporter, written by packaging/completions/generate from the help of graced-exporter; do not edit.

complete -c graced-exporter -f
complete -c graced-exporter -l listen -x -d 'where to serve, as graced\'s --listen'
complete -c graced-exporter -l control -r -F -d 'a control socket that is in none of the usual places'
complete -c graced-exporter -l time-limit -x -d 'how long one look at all instances may take'
complete -c graced-exporter -l show-secrets -d 'tell last words of workers and command lines, where this user may see them'
complete -c graced-exporter -l help -d 'print this'
complete -c graced-exporter -l version -d 'print the version'
