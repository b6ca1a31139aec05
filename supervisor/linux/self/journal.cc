// sd_journal_sendv(3), sd_journal_stream_fd(3).
#include "linux/self/journal.h"

#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "core/number.h"
#include "linux/base/fd.h"
#include "linux/base/systemd.h"

namespace graced {

bool is_journal(int fd, std::string_view journal_stream) {
  const auto colon = journal_stream.find(':');
  if (colon == std::string_view::npos) return false;
  struct stat file {};
  if (::fstat(fd, &file) < 0) return false;
  return parse_number<std::uint64_t>(journal_stream.substr(0, colon)) == file.st_dev &&
         parse_number<std::uint64_t>(journal_stream.substr(colon + 1)) == file.st_ino;
}

bool journal_exists(const std::string& socket) {
  struct stat file {};
  return ::stat(socket.c_str(), &file) == 0 && S_ISSOCK(file.st_mode);
}

// The name that systemd gives to the connection it makes for graced.
bool connect_to_journal(int fd) {
  const Fd stream(sd_journal_stream_fd("graced", LOG_INFO, 1));
  return stream && ::dup2(stream.get(), fd) >= 0;
}

bool send_to_journal(const std::vector<std::string>& fields) {
  std::vector<iovec> parts;
  parts.reserve(fields.size());
  // The type knows no const, but sd_journal_sendv only reads.
  for (const auto& field : fields) parts.push_back({const_cast<char*>(field.data()), field.size()});
  return sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) >= 0;
}

std::vector<std::string> journalctl_for(pid_t graced, const std::string& name) {
  char* found = nullptr;
  const bool of_user = graced > 0 && sd_pid_get_user_unit(graced, &found) >= 0;
  const bool known = of_user || (graced > 0 && sd_pid_get_unit(graced, &found) >= 0);
  const std::unique_ptr<char, decltype(&std::free)> unit(found, &std::free);
  if (!known || !std::string_view(unit.get()).ends_with(".service"))
    return {"journalctl", "GRACED_NAME=" + name};
  if (of_user) return {"journalctl", "--user", "-u", unit.get()};
  return {"journalctl", "-u", unit.get()};
}

}  // namespace graced
