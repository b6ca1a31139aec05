// systemd's manager, asked over D-Bus: at its own socket, which is open to root and its own user; others ask on
// the system bus.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "linux/base/bus.h"

namespace graced {

class ManagerBus {
 public:
  static constexpr const char* unit_interface = "org.freedesktop.systemd1.Unit";
  static constexpr const char* service_interface = "org.freedesktop.systemd1.Service";
  static constexpr const char* job_interface = "org.freedesktop.systemd1.Job";

  // None of these: nobody answers there.
  static ManagerBus at_socket(const std::string& path);  // the manager's own
  static ManagerBus on_system_bus();
  static ManagerBus of_system();  // either
  static ManagerBus of_user(uid_t user);

  explicit operator bool() const { return bus_ != nullptr; }

  // A call of a method of the manager itself, to be given its arguments; nullptr: no memory.
  BusMessage question(const char* method) const;

  // Waits for a second at most. nullptr: no answer, or an error, which `why` then names in one line.
  BusMessage answer(const BusMessage& asked, std::string* why = nullptr) const;

  // Where it keeps a unit that is loaded; empty: it does not know it.
  std::string path_of(const std::string& unit) const;

  // Stands inside the variant; nullptr: there is no such property, of this type.
  BusMessage property(const std::string& path, const char* interface, const char* name, const char* type) const;
  std::optional<std::string> text(const std::string& path, const char* interface, const char* name) const;
  std::optional<unsigned> number(const std::string& path, const char* interface, const char* name) const;

 private:
  static ManagerBus connect(const std::string& address, bool is_a_bus);
  BusMessage call(const char* path, const char* interface, const char* method) const;

  Bus bus_;
};

}  // namespace graced
