// capget(2).
#include "linux/upgrade/trial_answer.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <charconv>

#include "core/number.h"
#include "core/printable.h"
#include "linux/base/capabilities.h"
#include "linux/base/pipe_text.h"

namespace graced {

namespace {

// Takes "key=" and the number behind it, and a space where one follows.
template <class T>
std::optional<T> take_value(std::string_view& text, std::string_view key, int base = 10) {
  if (!text.starts_with(key)) return std::nullopt;
  text.remove_prefix(key.size());
  const auto value = take_number<T>(text, base);
  if (text.starts_with(' ')) text.remove_prefix(1);
  return value;
}

std::string text_of(const Rights& rights) {
  return fmt::format("user={} group={} capabilities={:x}", rights.user, rights.group, rights.capabilities);
}

std::optional<Rights> take_rights(std::string_view& text) {
  const auto user = take_value<uid_t>(text, "user=");
  const auto group = take_value<gid_t>(text, "group=");
  const auto capabilities = take_value<std::uint64_t>(text, "capabilities=", 16);
  if (!user || !group || !capabilities) return std::nullopt;
  return Rights{*user, *group, *capabilities};
}

// Of a key that may be anywhere, up to the next space.
std::string_view value_of(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return "";
  text.remove_prefix(at + key.size());
  return text.substr(0, text.find(' '));
}

}  // namespace

Rights own_rights() {
  __user_cap_header_struct self{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> sets{};
  std::uint64_t effective = 0;
  if (::syscall(SYS_capget, &self, sets.data()) == 0)
    effective = sets[0].effective | std::uint64_t{sets[1].effective} << 32;
  return {::geteuid(), ::getegid(), effective};
}

void answer_yes(int fd, std::string_view version) noexcept {
  try {
    write_all(fd, fmt::format("OK {} version={}\n", text_of(own_rights()), version));
  } catch (...) {}  // then it has not answered
}

void answer_no(int fd, std::string_view why) noexcept {
  try {
    write_all(fd,
              fmt::format("NO {} why={}\n", text_of(own_rights()), printable(why.substr(0, longest_reason))));
  } catch (...) {}
}

std::optional<TrialAnswer> parse_answer(std::string_view text) {
  if (!text.ends_with('\n')) return std::nullopt;
  text.remove_suffix(1);
  const bool yes = text.starts_with("OK ");
  if (!yes && !text.starts_with("NO ")) return std::nullopt;
  text.remove_prefix(3);
  auto rights = take_rights(text);
  if (yes && !rights) return std::nullopt;
  if (yes) return TrialAnswer{true, rights, printable(value_of(text, "version="))};
  constexpr std::string_view why = "why=";
  if (text.starts_with(why)) text.remove_prefix(why.size());
  return TrialAnswer{false, rights, "", printable(text.substr(0, longest_reason))};
}

std::string missing_rights(const Rights& now, const Rights& next) {
  if (now.user != next.user || now.group != next.group) {
    return fmt::format(
        "would run as user {} and group {}, not as {} and {}: its file has a set-user-ID or "
        "set-group-ID bit",
        next.user, next.group, now.user, now.group);
  }
  std::string names;
  for (int number = 0; number < 64; ++number) {
    const std::uint64_t bit = std::uint64_t{1} << number;
    if ((now.capabilities & bit) == 0 || (next.capabilities & bit) != 0) continue;
    names += (names.empty() ? "" : ", ") + capability_name(number);
  }
  if (names.empty()) return "";
  return fmt::format(
      "would not have the capabilities that graced has now: {} (a file with capabilities of its own "
      "loses ambient ones: see getcap(8) and setcap(8))",
      names);
}

}  // namespace graced
