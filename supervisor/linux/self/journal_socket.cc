#include "linux/self/journal_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace graced {

std::string journal_entry(const std::vector<std::pair<std::string_view, std::string>>& fields) {
  std::string entry;
  for (const auto& [name, value] : fields) {
    entry += name;
    if (value.find('\n') == std::string::npos) {
      entry += '=';
    } else {
      entry += '\n';
      for (unsigned shift = 0; shift < 64; shift += 8)  // little-endian
        entry += static_cast<char>(std::uint64_t{value.size()} >> shift & 0xff);
    }
    entry += value;
    entry += '\n';
  }
  return entry;
}

std::string journal_entry(const std::vector<std::string>& fields) {
  std::vector<std::pair<std::string_view, std::string>> pairs;
  for (const std::string_view field : fields) {
    const std::size_t sign = field.find('=');
    pairs.emplace_back(field.substr(0, sign), field.substr(sign + 1));
  }
  return journal_entry(pairs);
}

JournalSocket::Sent JournalSocket::send(std::string_view entry) {
  for (const bool again : {true, false}) {
    if (!socket_ && !connect()) return Sent::never;
    if (::send(socket_.get(), entry.data(), entry.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return Sent::yes;
    if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS) return Sent::later;
    if (errno == EMSGSIZE) return Sent::never;
    socket_.reset();
    if (!again) break;
  }
  return Sent::never;
}

bool JournalSocket::connect() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return false;
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return false;
  constexpr int room = 1 << 20;  // for the longest entry there is
  static_cast<void>(::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof room));
  socket_ = std::move(socket);
  return true;
}

}  // namespace graced
