// Columns by their place, as proc(5) has them.
#include "linux/proc/net_table.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>

#include "core/number.h"

namespace graced {
namespace {

template <class Number>
std::optional<Number> hexadecimal(std::string_view text) {
  return parse_number<Number>(text, 0, std::numeric_limits<Number>::max(), 16);
}

// "0100007F:1F90": the address in 32-bit words as they lie in memory.
std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const auto colon = text.find(':');
  if (colon != 8 && colon != 32) return std::nullopt;
  std::array<std::uint8_t, 16> ip{};
  for (std::size_t digits = 0; digits < colon; digits += 8) {
    const auto word = hexadecimal<std::uint32_t>(text.substr(digits, 8));
    if (!word) return std::nullopt;
    std::memcpy(&ip[digits / 2], &*word, 4);
  }
  const auto port = hexadecimal<std::uint16_t>(text.substr(colon + 1));
  if (!port) return std::nullopt;
  return endpoint_of(colon == 8 ? AF_INET : AF_INET6, ip.data(), *port);
}

// The next word of a line of /proc/net, which is cut off; empty at the end.
std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const auto word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

// The lines of a table of /proc/net without its heading; `text` must outlive them.
std::vector<std::string_view> rows_of(std::string_view text) {
  std::vector<std::string_view> rows;
  while (!text.empty()) {
    const auto row = text.substr(0, text.find('\n'));
    rows.push_back(row);
    text.remove_prefix(std::min(row.size() + 1, text.size()));
  }
  if (!rows.empty()) rows.erase(rows.begin());
  return rows;
}

}  // namespace

// "sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …"
std::vector<InternetRow> parse_internet_table(std::string_view text) {
  std::vector<InternetRow> found;
  for (std::string_view row : rows_of(text)) {
    next_word(row);
    const auto local = parse_endpoint(next_word(row));
    next_word(row);
    const auto state = next_word(row);
    for (int i = 0; i < 5; ++i) next_word(row);
    const auto inode = parse_number<std::uint64_t>(next_word(row));
    if (!local || !inode) continue;
    const bool listens = state == "0A" || state == "07";  // TCP_LISTEN; unconnected UDP
    found.push_back({*local, listens, *inode});
  }
  return found;
}

// "Num RefCount Protocol Flags Type St Inode Path", where accepted connections have their listener's path.
std::vector<UnixRow> parse_unix_table(std::string_view text) {
  std::vector<UnixRow> found;
  for (std::string_view row : rows_of(text)) {
    for (int i = 0; i < 4; ++i) next_word(row);
    const bool datagrams = next_word(row) == "0002";
    const bool connected = next_word(row) == "03";
    const auto inode = parse_number<std::uint64_t>(next_word(row));
    if (!inode) continue;
    found.push_back({datagrams, connected, *inode, row.empty() ? row : row.substr(1)});
  }
  return found;
}

}  // namespace graced
