// /proc/self/cgroup and /proc/self/mountinfo.
#include "linux/worker/cgroup_place.h"

#include <algorithm>
#include <string_view>

#include "linux/proc/proc_file.h"

namespace graced {

// The line "0::/path" of /proc/self/cgroup.
std::string own_cgroup() {
  const std::string text = "\n" + contents_of("/proc/self/cgroup").value_or("");
  const std::size_t at = text.find("\n0::");
  return at == std::string::npos ? "" : text.substr(at + 4, text.find('\n', at + 1) - at - 4);
}

// Where the v2 hierarchy is mounted as a whole: field 4 is the part of it that is, field 5 where.
std::string cgroup_mount_point() {
  const std::string text = contents_of("/proc/self/mountinfo").value_or("");
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.find(" - cgroup2 ") == std::string_view::npos) continue;
    std::string_view fields = line;
    for (int skipped = 0; skipped < 3; ++skipped) fields.remove_prefix(fields.find(' ') + 1);
    if (!fields.starts_with("/ ")) continue;
    fields.remove_prefix(2);
    return std::string(fields.substr(0, fields.find(' ')));
  }
  return "";
}

}  // namespace graced
