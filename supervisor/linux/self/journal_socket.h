// Entries for the systemd journal in its own form, sent without ever waiting for it: sd_journal_sendv(3) would.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "linux/base/fd.h"

namespace graced {

inline constexpr const char* journal_socket = "/run/systemd/journal/socket";

// As systemd's JOURNAL_NATIVE_PROTOCOL has it. Values may be any bytes.
std::string journal_entry(const std::vector<std::pair<std::string_view, std::string>>& fields);
std::string journal_entry(const std::vector<std::string>& fields);  // "NAME=value" each

class JournalSocket {
 public:
  // socket: that is connected to it already, if any.
  explicit JournalSocket(std::string path = journal_socket, Fd socket = Fd())
      : path_(std::move(path)), socket_(std::move(socket)) {}

  enum class Sent {
    yes,
    later,  // it has no room: when fd() is writable
    never,  // nobody is there, or it does not take this one
  };
  // Connected at the first one, and anew to a journal that was started since.
  Sent send(std::string_view entry);

  int fd() const { return socket_.get(); }

 private:
  bool connect();

  std::string path_;
  Fd socket_;
};

}  // namespace graced
