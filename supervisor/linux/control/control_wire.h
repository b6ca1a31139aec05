// The words of the control socket: D-Bus names, and the one table by which both its ends carry an
// InstanceReport, so that they cannot disagree.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "linux/base/systemd.h"
#include "linux/control/control_report.h"

namespace graced::control {

inline constexpr const char* path = "/org/graced/Supervisor1";
inline constexpr const char* interface = "org.graced.Supervisor1";
inline constexpr const char* reload_failed = "org.graced.Error.ReloadFailed";
inline constexpr const char* rollback_failed = "org.graced.Error.RollbackFailed";
inline constexpr const char* stop_failed = "org.graced.Error.StopFailed";
inline constexpr const char* upgrade_failed = "org.graced.Error.UpgradeFailed";

// Microseconds of sd-bus that never pass: whoever asks has a limit.
inline constexpr auto no_limit = std::numeric_limits<std::uint64_t>::max();
// As many entries of a history as there are.
inline constexpr auto all_of_it = std::numeric_limits<std::uint32_t>::max();

// One property. Times are microseconds, the greatest number standing for "never" and "none"; a last
// reload of generation 0 has not been, nor a last upgrade from no version. `append` and `read` throw
// std::system_error.
struct Property {
  const char* name;
  const char* signature;
  bool constant;  // over the life of graced
  void (*append)(sd_bus_message*, const InstanceReport&);
  void (*read)(sd_bus_message*, InstanceReport&);
};

std::span<const Property> properties();
const Property* find_property(std::string_view name);  // nullptr: unknown

// D-Bus ends a connection over a string that is not UTF-8, and workers say what they like: bytes that
// do not belong become U+FFFD.
std::string to_utf8(std::string_view text);

}  // namespace graced::control
