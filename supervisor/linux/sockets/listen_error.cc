#include "linux/sockets/listen_error.h"

#include <sys/resource.h>

#include <cerrno>

namespace graced {

namespace {

std::string descriptor_limit_hint(int code) {
  if (code == ENFILE) return "the whole machine has no descriptor left; see fs.file-max";
  if (code != EMFILE) return {};
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return fmt::format("{} descriptors are allowed; raise it with LimitNOFILE= in the unit, or ulimit -n",
                     limit.rlim_cur);
}

}  // namespace

ListenError listen_error(int code, std::string_view step, std::string_view hint) {
  const std::string reason = std::generic_category().message(code);
  const std::string out = hint.empty() ? descriptor_limit_hint(code) : std::string(hint);
  return {code,
          out.empty() ? fmt::format("{}: {}", step, reason) : fmt::format("{}: {} ({})", step, reason, out)};
}

}  // namespace graced
