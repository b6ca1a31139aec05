// libcap(3) has the table.
#include "linux/base/capabilities.h"

#include <linux/capability.h>
#include <sys/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <memory>

namespace graced {

namespace {

constexpr std::string_view prefix = "cap_";

}  // namespace

std::optional<int> capability_number(std::string_view name) {
  cap_value_t number = -1;
  for (const std::string& full : {std::string(name), std::string(prefix).append(name)}) {
    if (::cap_from_name(full.c_str(), &number) == 0) return number;
  }
  return std::nullopt;
}

std::string capability_name(int number) {
  const std::unique_ptr<char, int (*)(void*)> text(::cap_to_name(number), ::cap_free);
  if (!text) return std::to_string(number);
  std::string name = text.get();
  if (name.starts_with(prefix)) name.erase(0, prefix.size());
  return name;
}

std::vector<std::string> capability_names() {
  std::vector<std::string> names;
  for (int number = 0; number <= CAP_LAST_CAP; ++number) names.push_back(capability_name(number));
  return names;
}

bool has_capability(int number) {
  const auto capability = static_cast<unsigned>(number);
  __user_cap_header_struct self{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  return ::syscall(SYS_capget, &self, sets.data()) == 0 &&
         (sets[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) != 0;
}

}  // namespace graced
