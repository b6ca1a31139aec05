// graced.listen.OCCURRENCE.INDEX.COUNT.DEVICE.INODE.ADDRESS; the address comes last, it may have dots.
#include "core/store_name.h"

#include <fmt/format.h>

#include <limits>

#include "core/number.h"

namespace graced {

namespace {

// Leaves enough of the 255 for the numbers before it.
constexpr std::size_t longest_key = 150;

// FNV-1a; a name is compared, never read back.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

template <class T>
bool take_number(std::string_view& text, T& number) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return false;
  const auto parsed = parse_number<T>(text.substr(0, dot), 0, std::numeric_limits<T>::max());
  if (!parsed) return false;
  number = *parsed;
  text.remove_prefix(dot + 1);
  return true;
}

}  // namespace

std::string store_key(const ListenSpec& spec) {
  std::string plain = spec.address();
  if (spec.options.ipv6_only) plain += fmt::format(",ipv6-only={:d}", *spec.options.ipv6_only);
  if (spec.options.free_bind.value_or(false)) plain += ",free-bind";
  if (spec.options.device) plain += ",device=" + *spec.options.device;

  std::string key;
  for (const char c : plain) {
    const bool allowed = c > ' ' && c <= '~' && c != ':' && c != '%';
    key += allowed ? std::string(1, c) : fmt::format("%{:02x}", static_cast<unsigned char>(c));
  }
  if (key.size() > longest_key)
    key = fmt::format("{}%{:016x}", key.substr(0, longest_key - 17), hash_of(plain));
  return key;
}

std::string to_text(const StoreName& name) {
  return fmt::format("{}{}.{}.{}.{}.{}.{}", StoreName::family, name.occurrence, name.index, name.count,
                     name.device, name.inode, name.address);
}

std::optional<StoreName> parse_store_name(std::string_view text) {
  if (!text.starts_with(StoreName::family)) return std::nullopt;
  text.remove_prefix(StoreName::family.size());
  StoreName name;
  const bool whole = take_number(text, name.occurrence) && take_number(text, name.index) &&
                     take_number(text, name.count) && take_number(text, name.device) &&
                     take_number(text, name.inode);
  if (!whole || text.empty() || name.index >= name.count) return std::nullopt;
  name.address = text;
  return name;
}

}  // namespace graced
