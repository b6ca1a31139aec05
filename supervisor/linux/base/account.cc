// The user database, asked by getpwnam_r(3) and its relatives.
#include "linux/base/account.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>

#include <cstdint>
#include <stdexcept>

#include "core/number.h"
#include "linux/base/sys_error.h"

namespace graced {
namespace {

// All digits: a number. 2^32-1 means "leave it alone" to chown(2) and setresuid(2), and 65535 is the
// same for 16 bits: nobody may have them.
std::optional<std::uint32_t> as_number(std::string_view kind, const std::string& text) {
  if (text.empty()) throw std::runtime_error(fmt::format("{} '' is empty", kind));
  if (text.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  const auto number = parse_number<std::uint32_t>(text);
  if (!number || *number == UINT32_MAX || *number == UINT16_MAX) {
    throw std::runtime_error(fmt::format("{} '{}' is not a number an account can have", kind, text));
  }
  return number;
}

// Calls lookup(record, buffer, found) of the get*_r family with as much room as it asks for.
template <class Record, class Lookup>
bool look_up(Record& record, std::vector<char>& buffer, const Lookup& lookup, std::string_view kind,
             const std::string& text) {
  buffer.resize(1024);
  while (true) {
    Record* found = nullptr;
    const int error = lookup(&record, buffer, &found);
    if (error == ERANGE) {
      buffer.resize(buffer.size() * 2);
      continue;
    }
    // getpwnam_r(3): "not found" may come as any of these, depending on who is asked.
    const bool missing = error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM;
    if (!missing) throw sys_error_of(error, "look up {} '{}'", kind, text);
    return found != nullptr;
  }
}

struct PasswdEntry {
  passwd record{};
  std::vector<char> buffer;
};

// nullopt: a number without an entry.
std::optional<PasswdEntry> find_passwd(const std::string& user) {
  const auto number = as_number("user", user);
  PasswdEntry entry;
  const bool found = look_up(
      entry.record, entry.buffer,
      [&](passwd* record, std::vector<char>& room, passwd** result) {
        return number ? ::getpwuid_r(*number, record, room.data(), room.size(), result)
                      : ::getpwnam_r(user.c_str(), record, room.data(), room.size(), result);
      },
      "user", user);
  if (found) return entry;
  if (!number) throw std::runtime_error(fmt::format("user '{}' does not exist", user));
  return std::nullopt;
}

std::vector<gid_t> group_list(const std::string& name, gid_t gid) {
  int count = 16;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  while (::getgrouplist(name.c_str(), gid, groups.data(), &count) < 0) {
    // The count needed comes back; groups added meanwhile make it too small again.
    const auto room = static_cast<std::size_t>(count);
    groups.resize(room > groups.size() ? room : groups.size() * 2);
    count = static_cast<int>(groups.size());
  }
  groups.resize(static_cast<std::size_t>(count));
  return groups;
}

}  // namespace

Account find_account(const std::string& user, const std::optional<std::string>& group) {
  const auto entry = find_passwd(user);
  if (!entry) {
    const uid_t uid = *as_number("user", user);
    const gid_t gid = group ? find_group(*group) : uid;
    return {uid, gid, {gid}, user, "/", "/bin/sh"};
  }
  const passwd& found = entry->record;
  const gid_t gid = group ? find_group(*group) : found.pw_gid;
  return {found.pw_uid, gid, group_list(found.pw_name, gid), found.pw_name, found.pw_dir, found.pw_shell};
}

uid_t find_user(const std::string& name_or_number) {
  if (const auto number = as_number("user", name_or_number)) return *number;
  return find_passwd(name_or_number)->record.pw_uid;
}

gid_t find_group(const std::string& name_or_number) {
  if (const auto number = as_number("group", name_or_number)) return *number;
  ::group record{};
  std::vector<char> buffer;
  const bool found = look_up(
      record, buffer,
      [&](::group* entry, std::vector<char>& room, ::group** result) {
        return ::getgrnam_r(name_or_number.c_str(), entry, room.data(), room.size(), result);
      },
      "group", name_or_number);
  if (!found) throw std::runtime_error(fmt::format("group '{}' does not exist", name_or_number));
  return record.gr_gid;
}

}  // namespace graced
