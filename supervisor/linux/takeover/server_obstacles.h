// What is in the way of taking a server that runs already, each in one line with the way out.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace graced {

struct RunningSocket;

// Of what the process is, whatever it listens on. who: "PID 812 (nginx)".
std::optional<std::string> obstacle_of_process(pid_t process, const std::string& who);

// It is a graced, or has been started by one.
bool is_of_graced(pid_t process);

// systemd's, of the system or a user, which holds the sockets of .socket units.
bool is_systemd(pid_t process);

// Of a socket that it listens on.
std::vector<std::string> obstacles_of_socket(const RunningSocket& socket);

// Who has started it, where that is a program that would start it again: "PID 500 (supervisord) would start it
// again after a signal: …". Empty: nobody who is known to.
std::string who_would_start_again(pid_t process);

}  // namespace graced
