// Users and groups by name or number, as --user, --group and the options of unix sockets take them.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace graced {

struct Account {
  uid_t uid;
  gid_t gid;                  // the group asked for, else the user's own
  std::vector<gid_t> groups;  // what initgroups(3) would set; contains gid
  std::string name;
  std::string home;
  std::string shell;
};

// A number needs no entry in the user database: then its group has the same number, home is "/".
// Throws std::runtime_error: "user 'x' does not exist".
Account find_account(const std::string& user, const std::optional<std::string>& group = std::nullopt);

uid_t find_user(const std::string& name_or_number);
gid_t find_group(const std::string& name_or_number);

}  // namespace graced
