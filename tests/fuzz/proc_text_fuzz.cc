// The files of /proc: names and environments in them are any process's choice. All readers get all texts.
#include "linux/proc/proc_text.h"

#include <string>

#include "fuzz.h"
#include "linux/proc/net_table.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(fuzz::text_of(data, size));
  static_cast<void>(graced::parse_stat(text));
  static_cast<void>(graced::parse_voluntary_switches(text));
  static_cast<void>(graced::parse_signal_set(text, "SigCgt"));
  static_cast<void>(graced::parse_children(text));
  static_cast<void>(graced::parse_mark(text));
  static_cast<void>(graced::parse_pidfd_info(text));
  static_cast<void>(graced::parse_epoll_info(text));
  static_cast<void>(graced::parse_syscall(text));
  static_cast<void>(graced::parse_internet_table(text));
  for (const auto& row : graced::parse_unix_table(text)) {
    fuzz::promise(row.path.empty() || (row.path.data() >= text.data() &&
                                       row.path.data() + row.path.size() <= text.data() + text.size()),
                  "a path is in the table");
  }
  return 0;
}
