// The systemd journal: whether our stderr is it, and how to write to it with fields.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace graced {

// Whether `fd` is the connection to the journal that JOURNAL_STREAM ("device:inode") speaks of.
// False if it was redirected since, or if the text is none.
bool is_journal(int fd, std::string_view journal_stream);

// Whether a journal listens on this machine at all.
bool journal_exists(const std::string& socket = "/run/systemd/journal/socket");

// Makes `fd`, whatever it was, a new connection to the journal, for lines of text. False: there is none.
bool connect_to_journal(int fd);

// Each field is "NAME=value". False if the journal did not take it.
bool send_to_journal(const std::vector<std::string>& fields);

}  // namespace graced
