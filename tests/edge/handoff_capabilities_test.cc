// What graced could do when it tried, and an image that takes its place may not be able to any more.
#include <doctest/doctest.h>
#include <unistd.h>

#include "as_root.h"
#include "daemon/handoff_capabilities.h"
#include "in_child.h"

namespace graced {
namespace {

HandoffCapabilities tried() {
  HandoffCapabilities capabilities;
  capabilities.adoption(nullptr);
  capabilities.steering();
  return capabilities;
}

TEST_CASE("nothing is lost where all is as it was, and where nothing was tried") {
  CHECK(tried().lost() == "");
  CHECK(HandoffCapabilities().lost() == "");
}

TEST_CASE("without privilege what was steered by eBPF cannot go on as it was") {
  if (!as_root("to steer by eBPF")) return;
  HandoffCapabilities before;
  if (before.steering().method != SteeringMethod::ebpf) return;
  const std::string lost = in_child([&] {
    constexpr unsigned nobody = 65534;
    if (::setresuid(nobody, nobody, nobody) < 0) return std::string("cannot become nobody");
    return before.lost();
  });
  CHECK(lost.starts_with("it could not direct new connections as they are now: "));
}

}  // namespace
}  // namespace graced
