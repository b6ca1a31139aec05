# fish completion for graced, written by packaging/completions/generate from the help of graced; do not edit.

function __graced_instances
    graced list --json 2>/dev/null | string replace -rf '^    "name": "(.*)",$' '$1'
end

# How many words come before COMMAND; fails where it has not begun.
function __graced_command_at
    set -l words (commandline -opc)
    set -l i 3
    while test $i -le (count $words)
        switch $words[$i]
            case --
                echo $i
                return
            case -l --listen --adopt --adopt-changes --take --take-stop --udp-flows --udp-flow-timeout -w --workers --restart --restart-delay --start-limit --stderr --stdout --output --ready --ready-timeout --check --probe --canary --gate --on --probation --max-surge --drain --drain-idle --drain-signal --drain-timeout --drain-grace --stop-timeout --max-draining --draining-memory-high --env-file --env --chdir --user --group --umask --rlimit --keep-capabilities --name --config --control --pid-file --notify-fd --log-format --log-level
                set i (math $i + 2)
            case '-*'
                set i (math $i + 1)
            case '*'
                math $i - 1
                return
        end
    end
    return 1
end

# Whether this command's own words are being typed; without an argument, whether the command is.
function __graced_at
    set -l words (commandline -opc)
    if not set -q argv[1]
        test (count $words) -eq 1
        return
    end
    test "$words[2]" = "$argv[1]"; and not __graced_command_at >/dev/null
    or begin
        test "$words[2]" = "$argv[1]"; and not contains -- "$argv[1]" run check
    end
end

function __graced_in_command
    set -l words (commandline -opc)
    test "$words[2]" = "$argv[1]"; and __graced_command_at >/dev/null
end

function __graced_command
    __fish_complete_subcommand --fcs-skip=(__graced_command_at)
end

complete -c graced -f
complete -c graced -n __graced_at -a run -d 'run COMMAND under a PID that never changes'
complete -c graced -n __graced_at -a check -d 'say what run would do with these options'
complete -c graced -n __graced_at -a reload -d 'start the next generation, let the old one finish'
complete -c graced -n __graced_at -a rollback -d 'back to the generation that stands by'
complete -c graced -n __graced_at -a abort -d 'end a reload that runs, the old generation stays'
complete -c graced -n __graced_at -a stop -d 'let everything finish, then end'
complete -c graced -n __graced_at -a upgrade -d 'have the graced that is installed now take over'
complete -c graced -n __graced_at -a hammer -d 'kill what is still draining'
complete -c graced -n __graced_at -a status -d 'who serves, who drains, what happened last'
complete -c graced -n __graced_at -a history -d 'what has happened, when, and who asked for it'
complete -c graced -n __graced_at -a events -d 'what happens, as it happens'
complete -c graced -n __graced_at -a logs -d 'what its workers have written, and write'
complete -c graced -n __graced_at -a list -d 'instances that run here'
complete -c graced -n __graced_at -a top -d 'all instances on the terminal, again each second'
complete -c graced -n __graced_at -a help -d 'all about one of them'
complete -c graced -n __graced_at -s h -l help -d 'all commands'
complete -c graced -n __graced_at -l version -d 'print version and features'

complete -c graced -n '__graced_at run' -l listen -s l -x -d 'listen here and pass the socket to every worker'
complete -c graced -n '__graced_at run' -l adopt -x -a 'auto on off' -d 'take over the addresses that a worker binds itself'
complete -c graced -n '__graced_at run' -l adopt-changes -x -a 'allow refuse' -d 'whether a reload may leave out an address that the generation before has adopted'
complete -c graced -n '__graced_at run' -l take -x -d 'take over the addresses of a server that runs without graced, and end it once the first generation serves'
complete -c graced -n '__graced_at run' -l take-stop -x -a '(__fish_complete_command)' -d 'run this to end that server'
complete -c graced -n '__graced_at run' -l udp-flows -x -a 'off' -d 'so many UDP flows are remembered at most, so that each stays with its generation over a reload'
complete -c graced -n '__graced_at run' -l udp-flow-timeout -x -d 'a UDP flow that is silent for so long is over'
complete -c graced -n '__graced_at run' -l workers -s w -x -a 'auto' -d 'workers in a generation'
complete -c graced -n '__graced_at run' -l restart -x -a 'always on-failure never' -d 'whether to replace a serving worker that exits by itself'
complete -c graced -n '__graced_at run' -l restart-delay -x -d 'wait this long before replacing it'
complete -c graced -n '__graced_at run' -l start-limit -x -d 'give up after more than N unexpected exits within TIME'
complete -c graced -n '__graced_at run' -l stderr -x -a 'watch inherit' -d 'watch keeps a worker\'s last 20 lines for status and failed reloads'
complete -c graced -n '__graced_at run' -l stdout -x -a 'watch inherit' -d 'watch does the same with its standard output'
complete -c graced -n '__graced_at run' -l output -x -a 'plain prefix prefix-time' -d 'prefix puts generation, worker and PID before each line of both, prefix-time the time as well, and keeps the last 256 KiB for graced logs'
complete -c graced -n '__graced_at run' -l ready -x -a 'auto notify listen after:' -d 'when a worker is ready'
complete -c graced -n '__graced_at run' -l ready-timeout -x -d 'give a candidate up that is not ready by then'
complete -c graced -n '__graced_at run' -l check -x -a '(__fish_complete_command)' -d 'run this before a reload'
complete -c graced -n '__graced_at run' -l probe -x -d 'look at a candidate that is ready, which nobody else reaches yet, before it serves, and with while-serving[=TIME] for as long as it does'
complete -c graced -n '__graced_at run' -l canary -x -d 'at a reload the new generation gets SHARE of new connections for TIME, then the next share, before it gets all of them'
complete -c graced -n '__graced_at run' -l gate -x -a '(__fish_complete_command)' -d 'run this at the end of each step of the canary'
complete -c graced -n '__graced_at run' -l on -x -d 'run this when that happens'
complete -c graced -n '__graced_at run' -l probation -x -d 'after a reload the generation before stands by for so long'
complete -c graced -n '__graced_at run' -l max-surge -x -a 'all' -d 'at a reload start N workers, or P% of them, at a time'
complete -c graced -n '__graced_at run' -l drain -x -a 'auto signal idle' -d 'signal tells an old worker to finish at once'
complete -c graced -n '__graced_at run' -l drain-idle -x -d 'with idle drain'
complete -c graced -n '__graced_at run' -l drain-signal -x -a 'TERM INT QUIT HUP USR1 USR2 WINCH' -d 'what tells a worker to finish'
complete -c graced -n '__graced_at run' -l drain-timeout -x -d 'then it is killed, and all it started'
complete -c graced -n '__graced_at run' -l drain-grace -x -d 'with idle drain'
complete -c graced -n '__graced_at run' -l stop-timeout -x -d 'the same limit when graced itself stops'
complete -c graced -n '__graced_at run' -l max-draining -x -d 'generations that may drain at once'
complete -c graced -n '__graced_at run' -l draining-memory-high -x -d 'memory.high for a generation that drains'
complete -c graced -n '__graced_at run' -l env-file -r -F -d 'NAME=VALUE lines, read again at every reload'
complete -c graced -n '__graced_at run' -l env -x -d 'a variable'
complete -c graced -n '__graced_at run' -l chdir -x -a '(__fish_complete_directories)' -d 'directory to start in'
complete -c graced -n '__graced_at run' -l user -x -a '(__fish_complete_users)' -d 'user to run as, with that user\'s groups'
complete -c graced -n '__graced_at run' -l group -x -a '(__fish_complete_groups)' -d 'group to run as'
complete -c graced -n '__graced_at run' -l umask -x -d 'file mode creation mask, octal'
complete -c graced -n '__graced_at run' -l rlimit -x -a 'as= core= cpu= data= fsize= locks= memlock= msgqueue= nice= nofile= nproc= rss= rtprio= rttime= sigpending= stack=' -d 'resource limit by its name in setrlimit(2), as in nofile=65536'
complete -c graced -n '__graced_at run' -l keep-capabilities -x -d 'capabilities of graced\'s that its workers get as well, as in net_bind_service,sys_nice'
complete -c graced -n '__graced_at run' -l name -x -d 'what graced reload, stop and status call it'
complete -c graced -n '__graced_at run' -l config -r -F -d 'options, one NAME = VALUE a line, read again at every reload'
complete -c graced -n '__graced_at run' -l control -r -F -d 'socket that graced reload, stop and status talk to'
complete -c graced -n '__graced_at run' -l pid-file -r -F -d 'file with graced\'s PID, removed at exit'
complete -c graced -n '__graced_at run' -l notify-fd -x -d 'write a newline to descriptor N when graced serves, as s6 wants'
complete -c graced -n '__graced_at run' -l daemonize -d 'go into the background, and return when graced serves'
complete -c graced -n '__graced_at run' -l self-upgrade -d 'when another graced is installed, the package has it take this one\'s place, which nobody notices'
complete -c graced -n '__graced_at run' -l log-format -x -a 'auto text json journal' -d 'auto is journal where stderr is the journal, else text'
complete -c graced -n '__graced_at run' -l log-level -x -a 'error warning info debug' -d 'how much to say'
complete -c graced -n '__graced_at run' -l help -s h -d 'this help'
complete -c graced -n '__graced_at run' -l version -d 'print version and features'
complete -c graced -n '__graced_at run' -xa '(__fish_complete_command)'
complete -c graced -n '__graced_in_command run' -xa '(__graced_command)'

complete -c graced -n '__graced_at check' -l listen -s l -x -d 'listen here and pass the socket to every worker'
complete -c graced -n '__graced_at check' -l adopt -x -a 'auto on off' -d 'take over the addresses that a worker binds itself'
complete -c graced -n '__graced_at check' -l adopt-changes -x -a 'allow refuse' -d 'whether a reload may leave out an address that the generation before has adopted'
complete -c graced -n '__graced_at check' -l take -x -d 'take over the addresses of a server that runs without graced, and end it once the first generation serves'
complete -c graced -n '__graced_at check' -l take-stop -x -a '(__fish_complete_command)' -d 'run this to end that server'
complete -c graced -n '__graced_at check' -l udp-flows -x -a 'off' -d 'so many UDP flows are remembered at most, so that each stays with its generation over a reload'
complete -c graced -n '__graced_at check' -l udp-flow-timeout -x -d 'a UDP flow that is silent for so long is over'
complete -c graced -n '__graced_at check' -l workers -s w -x -a 'auto' -d 'workers in a generation'
complete -c graced -n '__graced_at check' -l restart -x -a 'always on-failure never' -d 'whether to replace a serving worker that exits by itself'
complete -c graced -n '__graced_at check' -l restart-delay -x -d 'wait this long before replacing it'
complete -c graced -n '__graced_at check' -l start-limit -x -d 'give up after more than N unexpected exits within TIME'
complete -c graced -n '__graced_at check' -l stderr -x -a 'watch inherit' -d 'watch keeps a worker\'s last 20 lines for status and failed reloads'
complete -c graced -n '__graced_at check' -l stdout -x -a 'watch inherit' -d 'watch does the same with its standard output'
complete -c graced -n '__graced_at check' -l output -x -a 'plain prefix prefix-time' -d 'prefix puts generation, worker and PID before each line of both, prefix-time the time as well, and keeps the last 256 KiB for graced logs'
complete -c graced -n '__graced_at check' -l ready -x -a 'auto notify listen after:' -d 'when a worker is ready'
complete -c graced -n '__graced_at check' -l ready-timeout -x -d 'give a candidate up that is not ready by then'
complete -c graced -n '__graced_at check' -l check -x -a '(__fish_complete_command)' -d 'run this before a reload'
complete -c graced -n '__graced_at check' -l probe -x -d 'look at a candidate that is ready, which nobody else reaches yet, before it serves, and with while-serving[=TIME] for as long as it does'
complete -c graced -n '__graced_at check' -l canary -x -d 'at a reload the new generation gets SHARE of new connections for TIME, then the next share, before it gets all of them'
complete -c graced -n '__graced_at check' -l gate -x -a '(__fish_complete_command)' -d 'run this at the end of each step of the canary'
complete -c graced -n '__graced_at check' -l on -x -d 'run this when that happens'
complete -c graced -n '__graced_at check' -l probation -x -d 'after a reload the generation before stands by for so long'
complete -c graced -n '__graced_at check' -l max-surge -x -a 'all' -d 'at a reload start N workers, or P% of them, at a time'
complete -c graced -n '__graced_at check' -l drain -x -a 'auto signal idle' -d 'signal tells an old worker to finish at once'
complete -c graced -n '__graced_at check' -l drain-idle -x -d 'with idle drain'
complete -c graced -n '__graced_at check' -l drain-signal -x -a 'TERM INT QUIT HUP USR1 USR2 WINCH' -d 'what tells a worker to finish'
complete -c graced -n '__graced_at check' -l drain-timeout -x -d 'then it is killed, and all it started'
complete -c graced -n '__graced_at check' -l drain-grace -x -d 'with idle drain'
complete -c graced -n '__graced_at check' -l stop-timeout -x -d 'the same limit when graced itself stops'
complete -c graced -n '__graced_at check' -l max-draining -x -d 'generations that may drain at once'
complete -c graced -n '__graced_at check' -l draining-memory-high -x -d 'memory.high for a generation that drains'
complete -c graced -n '__graced_at check' -l env-file -r -F -d 'NAME=VALUE lines, read again at every reload'
complete -c graced -n '__graced_at check' -l env -x -d 'a variable'
complete -c graced -n '__graced_at check' -l chdir -x -a '(__fish_complete_directories)' -d 'directory to start in'
complete -c graced -n '__graced_at check' -l user -x -a '(__fish_complete_users)' -d 'user to run as, with that user\'s groups'
complete -c graced -n '__graced_at check' -l group -x -a '(__fish_complete_groups)' -d 'group to run as'
complete -c graced -n '__graced_at check' -l umask -x -d 'file mode creation mask, octal'
complete -c graced -n '__graced_at check' -l rlimit -x -a 'as= core= cpu= data= fsize= locks= memlock= msgqueue= nice= nofile= nproc= rss= rtprio= rttime= sigpending= stack=' -d 'resource limit by its name in setrlimit(2), as in nofile=65536'
complete -c graced -n '__graced_at check' -l keep-capabilities -x -d 'capabilities of graced\'s that its workers get as well, as in net_bind_service,sys_nice'
complete -c graced -n '__graced_at check' -l name -x -d 'what graced reload, stop and status call it'
complete -c graced -n '__graced_at check' -l config -r -F -d 'options, one NAME = VALUE a line, read again at every reload'
complete -c graced -n '__graced_at check' -l control -r -F -d 'socket that graced reload, stop and status talk to'
complete -c graced -n '__graced_at check' -l pid-file -r -F -d 'file with graced\'s PID, removed at exit'
complete -c graced -n '__graced_at check' -l notify-fd -x -d 'write a newline to descriptor N when graced serves, as s6 wants'
complete -c graced -n '__graced_at check' -l daemonize -d 'go into the background, and return when graced serves'
complete -c graced -n '__graced_at check' -l self-upgrade -d 'when another graced is installed, the package has it take this one\'s place, which nobody notices'
complete -c graced -n '__graced_at check' -l log-format -x -a 'auto text json journal' -d 'auto is journal where stderr is the journal, else text'
complete -c graced -n '__graced_at check' -l log-level -x -a 'error warning info debug' -d 'how much to say'
complete -c graced -n '__graced_at check' -l help -s h -d 'this help'
complete -c graced -n '__graced_at check' -l version -d 'print version and features'
complete -c graced -n '__graced_at check' -xa '(__fish_complete_command)'
complete -c graced -n '__graced_in_command check' -xa '(__graced_command)'

complete -c graced -n '__graced_at reload' -l control -r -F -d 'the instance\'s control socket, instead of its NAME'
complete -c graced -n '__graced_at reload' -l settled -d 'wait until its probation is over as well'
complete -c graced -n '__graced_at reload' -l all -d 'all instances that run here'
complete -c graced -n '__graced_at reload' -l jobs -x -d 'with --all, so many at a time'
complete -c graced -n '__graced_at reload' -l stop-at-first-failure -d 'with --all, begin no other one once one has failed'
complete -c graced -n '__graced_at reload' -l wait -x -d 'wait no longer than this'
complete -c graced -n '__graced_at reload' -l no-wait -d 'ask and do not wait for the outcome'
complete -c graced -n '__graced_at reload' -l help -s h -d 'this help'
complete -c graced -n '__graced_at reload' -xa '(__graced_instances)'

complete -c graced -n '__graced_at rollback' -l control -r -F -d 'the instance\'s control socket, instead of its NAME'
complete -c graced -n '__graced_at rollback' -l help -s h -d 'this help'
complete -c graced -n '__graced_at rollback' -xa '(__graced_instances)'

complete -c graced -n '__graced_at abort' -l control -r -F -d 'the instance\'s control socket, instead of its NAME'
complete -c graced -n '__graced_at abort' -l help -s h -d 'this help'
complete -c graced -n '__graced_at abort' -xa '(__graced_instances)'

complete -c graced -n '__graced_at stop' -l control -r -F -d 'the instance\'s control socket, instead of its NAME'
complete -c graced -n '__graced_at stop' -l wait -x -d 'wait no longer than this'
complete -c graced -n '__graced_at stop' -l no-wait -d 'ask and do not wait for the outcome'
complete -c graced -n '__graced_at stop' -l help -s h -d 'this help'
complete -c graced -n '__graced_at stop' -xa '(__graced_instances)'

complete -c graced -n '__graced_at upgrade' -l control -r -F -d 'the instance\'s control socket, instead of its NAME'
complete -c graced -n '__graced_at upgrade' -l all -d 'all instances that run here'
complete -c graced -n '__graced_at upgrade' -l opted-in -d 'with --all, those with --self-upgrade'
complete -c graced -n '__graced_at upgrade' -l binary -r -F -d 'the file that takes over, as the instance sees it'
complete -c graced -n '__graced_at upgrade' -l check -d 'only say whether it could'
complete -c graced -n '__graced_at upgrade' -l wait -x -d 'wait no longer than this'
complete -c graced -n '__graced_at upgrade' -l help -s h -d 'this help'
complete -c graced -n '__graced_at upgrade' -xa '(__graced_instances)'

complete -c graced -n '__graced_at hammer' -l control -r -F -d 'the instance\'s control socket, instead of its NAME'
complete -c graced -n '__graced_at hammer' -l help -s h -d 'this help'
complete -c graced -n '__graced_at hammer' -xa '(__graced_instances)'

complete -c graced -n '__graced_at status' -l control -r -F -d 'the instance\'s control socket, instead of its NAME'
complete -c graced -n '__graced_at status' -l json -d 'for programs'
complete -c graced -n '__graced_at status' -l ready -d 'exit status 0 if workers serve, 1 if not'
complete -c graced -n '__graced_at status' -l alive -d 'exit status 0 if graced answers, whatever its workers do'
complete -c graced -n '__graced_at status' -l help -s h -d 'this help'
complete -c graced -n '__graced_at status' -xa '(__graced_instances)'

complete -c graced -n '__graced_at history' -l control -r -F -d 'the instance\'s control socket, instead of its NAME'
complete -c graced -n '__graced_at history' -l json -d 'for programs'
complete -c graced -n '__graced_at history' -l last -s n -x -d 'only the last N'
complete -c graced -n '__graced_at history' -l help -s h -d 'this help'
complete -c graced -n '__graced_at history' -xa '(__graced_instances)'

complete -c graced -n '__graced_at events' -l control -r -F -d 'the instance\'s control socket, instead of its NAME'
complete -c graced -n '__graced_at events' -l json -d 'for programs'
complete -c graced -n '__graced_at events' -l until -x -d 'end with the first of these'
complete -c graced -n '__graced_at events' -l timeout -x -d 'end after this'
complete -c graced -n '__graced_at events' -l help -s h -d 'this help'
complete -c graced -n '__graced_at events' -xa '(__graced_instances)'

complete -c graced -n '__graced_at logs' -l control -r -F -d 'the instance\'s control socket, instead of its NAME'
complete -c graced -n '__graced_at logs' -l follow -s f -d 'then what comes, until it ends'
complete -c graced -n '__graced_at logs' -l last -s n -x -d 'only the last N'
complete -c graced -n '__graced_at logs' -l help -s h -d 'this help'
complete -c graced -n '__graced_at logs' -xa '(__graced_instances)'

complete -c graced -n '__graced_at list' -l json -d 'for programs'
complete -c graced -n '__graced_at list' -l help -s h -d 'this help'

complete -c graced -n '__graced_at top' -l control -r -F -d 'the instance\'s control socket, instead of its NAME'
complete -c graced -n '__graced_at top' -l sort -x -a 'name phase connections queue cpu memory reloads' -d 'name, phase, connections, queue, cpu, memory or reloads'
complete -c graced -n '__graced_at top' -l help -s h -d 'this help'
complete -c graced -n '__graced_at top' -xa '(__graced_instances)'

complete -c graced -n '__graced_at help' -xa 'run check reload rollback abort stop upgrade hammer status history events logs list top help'
