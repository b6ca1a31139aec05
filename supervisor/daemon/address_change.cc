#include "daemon/address_change.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <system_error>

namespace graced {

namespace {

bool is_gone(const PassedSocket& s, const Plan& serving) {
  return std::ranges::none_of(serving.sockets, [&](const PassedSocket& now) {
    return now.listener == s.listener || now.listener->key() == s.listener->key();
  });
}

}  // namespace

std::vector<std::string> kept_waiting(const Plan& candidate) {
  std::vector<std::string> notes;
  const auto early = [&](const PassedSocket& s, const std::string& why) {
    notes.push_back(fmt::format("{} is new: clients may reach it before its generation serves, since {}",
                                s.listener->address(), why));
  };
  for (const PassedSocket& s : candidate.sockets) {
    if (s.listener->hidden() && s.listener->hidden()->way == Hidden::Way::drop_new_connections)
      notes.push_back(dropped_note(s.listener->address()));
    if (s.listener->not_aside() != 0)
      early(s, "its file can have no other name: " + std::generic_category().message(s.listener->not_aside()));
  }
  return notes;
}

std::vector<std::string> show_addresses(const Plan& serving) {
  std::vector<std::string> complaints;
  for (const PassedSocket& s : serving.sockets) {
    try {
      s.listener->show();
    } catch (const std::exception& e) {
      complaints.push_back(fmt::format("{}: {}", s.listener->address(), e.what()));
    }
  }
  return complaints;
}

bool any_is_gone(const Plan& before, const Plan& serving) {
  return std::ranges::any_of(before.sockets, [&](const PassedSocket& s) { return is_gone(s, serving); });
}

std::vector<std::string> refuse_gone_addresses(const Plan& before, const Plan& serving) {
  std::vector<std::string> complaints;
  for (const PassedSocket& s : before.sockets) {
    if (!is_gone(s, serving)) continue;
    try {
      s.listener->refuse();
    } catch (const std::exception& e) {
      complaints.push_back(fmt::format("{}: until its workers leave new clients may reach them: {}",
                                       s.listener->address(), e.what()));
    }
  }
  return complaints;
}

}  // namespace graced
