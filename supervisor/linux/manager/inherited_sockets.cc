// LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES, read strictly: a mistake in them is a socket lost.
#include "linux/manager/inherited_sockets.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <stdexcept>
#include <string_view>

#include "core/number.h"
#include "core/printable.h"
#include "linux/base/sys_error.h"
#include "linux/sockets/listen_socket.h"

namespace graced {
namespace {

constexpr int first_descriptor = 3;

int number(std::string_view variable, const std::string& text) {
  if (const auto value = parse_number<int>(text, 0)) return *value;
  throw std::runtime_error(
      fmt::format("{}={} is not a number (whoever starts graced must set it as sd_listen_fds(3) says)",
                  variable, printable(text)));
}

std::vector<std::string> split_names(const std::optional<std::string>& text) {
  std::vector<std::string> names;
  if (!text || text->empty()) return names;
  std::size_t begin = 0;
  while (true) {
    const auto end = text->find(':', begin);
    names.push_back(text->substr(begin, end - begin));
    if (end == std::string::npos) return names;
    begin = end + 1;
  }
}

// As with `fd:N`: a descriptor with CLOEXEC did not come through exec, it is one of ours.
bool came_through_exec(int fd) {
  const int flags = ::fcntl(fd, F_GETFD);
  return flags >= 0 && (flags & FD_CLOEXEC) == 0;
}

bool is_stored(const ListenSpec& spec) {
  return spec.options.name && spec.options.name->starts_with(FdStore::prefix);
}

}  // namespace

AnnouncedSockets announced_sockets(const ListenVariables& variables, pid_t self) {
  if (!variables.pid || !variables.fds) return {};
  if (number("LISTEN_PID", *variables.pid) != self) return {};
  AnnouncedSockets announced{number("LISTEN_FDS", *variables.fds), split_names(variables.names)};
  if (announced.names.size() > static_cast<std::size_t>(announced.count)) {
    throw std::runtime_error(
        fmt::format("LISTEN_FDNAMES={} has {} names, but LISTEN_FDS={} announces fewer sockets",
                    printable(*variables.names), announced.names.size(), announced.count));
  }
  return announced;
}

std::string announced_to_another(const ListenVariables& variables, pid_t self) {
  if (!variables.pid || !variables.fds || *variables.fds == "0") return "";
  const int named = number("LISTEN_PID", *variables.pid);
  if (named == self) return "";
  return fmt::format(
      "the sockets of LISTEN_FDS={} are not used: LISTEN_PID names PID {}, and graced is PID {} (who was "
      "started "
      "with them must exec graced)",
      printable(*variables.fds), named, self);
}

Inherited inherited_sockets(const ListenVariables& variables) {
  const auto [count, names] = announced_sockets(variables, ::getpid());

  std::vector<ListenSpec> specs;
  for (int i = 0; i < count; ++i) {
    const int fd = first_descriptor + i;
    if (!came_through_exec(fd)) {
      throw std::runtime_error(
          fmt::format("LISTEN_FDS={} announces descriptor {}, but it is not open", count, fd));
    }
    ListenSpec spec;
    spec.kind = AddressKind::inherited;
    spec.fd = fd;
    const auto index = static_cast<std::size_t>(i);
    if (index < names.size() && !names[index].empty()) spec.options.name = names[index];
    if (!is_stored(spec)) socket_kind(fd, fmt::format("LISTEN_FDS={}", count));
    specs.push_back(std::move(spec));
  }

  // Copies first, all beyond the block they came in, which is then free as a whole.
  Inherited inherited;
  inherited.ignored = announced_to_another(variables, ::getpid());
  for (const ListenSpec& spec : specs) {
    Fd moved(::fcntl(spec.fd, F_DUPFD_CLOEXEC, first_descriptor + count));
    if (!moved) { throw listen_error(errno, fmt::format("descriptor {} of LISTEN_FDS={}", spec.fd, count)); }
    if (is_stored(spec)) {
      inherited.stored.push_back({*spec.options.name, std::move(moved)});
    } else {
      inherited.sockets.push_back(Listener::inherited(spec, std::move(moved)));
    }
  }
  for (const ListenSpec& spec : specs) ::close(spec.fd);
  return inherited;
}

}  // namespace graced
