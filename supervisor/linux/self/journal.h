// The systemd journal: whether our stderr is it, and how to write to it with fields.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "linux/self/journal_socket.h"

namespace graced {

// Whether `fd` is the connection to the journal that JOURNAL_STREAM ("device:inode") speaks of.
// False if it was redirected since, or if the text is none.
bool is_journal(int fd, std::string_view journal_stream);

// Whether a journal listens on this machine at all.
bool journal_exists(const std::string& socket = journal_socket);

// Makes `fd`, whatever it was, a new connection to the journal, for lines of text. False: there is none.
bool connect_to_journal(int fd);

// Each field is "NAME=value". False if the journal did not take it.
bool send_to_journal(const std::vector<std::string>& fields);

// The command that shows what graced with this PID and its workers have written there: by its unit, or, where
// it is in none that can be seen, by the name of the instance.
std::vector<std::string> journalctl_for(pid_t graced, const std::string& name);

}  // namespace graced
