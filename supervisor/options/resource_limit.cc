#include "options/resource_limit.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>

#include "core/bad_value.h"
#include "core/number.h"
#include "core/suggest.h"

namespace graced {

namespace {

struct Resource {
  std::string_view name;
  int number;
};

constexpr auto resources = std::to_array<Resource>({
    {"as", RLIMIT_AS},
    {"core", RLIMIT_CORE},
    {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},
    {"fsize", RLIMIT_FSIZE},
    {"locks", RLIMIT_LOCKS},
    {"memlock", RLIMIT_MEMLOCK},
    {"msgqueue", RLIMIT_MSGQUEUE},
    {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},
    {"nproc", RLIMIT_NPROC},
    {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},
    {"rttime", RLIMIT_RTTIME},
    {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
});

std::uint64_t read_limit(std::string_view text) {
  if (text == "infinity") return RLIM_INFINITY;
  if (const auto n = parse_size(text); n && *n != RLIM_INFINITY) return *n;
  throw bad("'{}' is no number, as in 1024, 8M or infinity", text);
}

}  // namespace

ResourceLimit read_resource_limit(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) throw bad("not NAME=N or NAME=SOFT:HARD, as in nofile=65536");
  const auto name = text.substr(0, equals);
  // NOFILE is as good as nofile.
  const auto resource =
      std::ranges::find(resources, upper_case(name), [](const Resource& r) { return upper_case(r.name); });
  if (resource == resources.end()) {
    std::vector<std::string_view> known;
    for (const auto& each : resources) known.push_back(each.name);
    throw bad("unknown limit '{}'{}", name,
              did_you_mean(name, known, fmt::format(", it is one of {}", in_a_row(known))));
  }

  const auto value = text.substr(equals + 1);
  const auto colon = value.find(':');
  ResourceLimit limit{resource->number, std::string{name}, read_limit(value.substr(0, colon)), 0};
  limit.hard = colon == std::string_view::npos ? limit.soft : read_limit(value.substr(colon + 1));
  if (limit.soft > limit.hard) throw bad("the soft limit is above the hard one");
  return limit;
}

}  // namespace graced
