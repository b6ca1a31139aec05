// Descriptors that the service manager keeps, so that the next graced has them after a crash or a restart:
// FDSTORE=1 of sd_notify(3). A name is what it is found by; what names mean, others know.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "linux/base/fd.h"
#include "linux/base/file_id.h"
#include "linux/manager/service_manager.h"

namespace graced {

struct StoredDescriptor {
  std::string name;
  Fd fd;
};

class FdStore {
 public:
  // Of everything in the store, so that it is told apart from sockets that graced was passed otherwise.
  static constexpr std::string_view prefix = "graced.";

  // `restored` is what the manager had for us. `offered`: the manager has a store, see is_offered(); nothing is
  // held else. `manager` outlives the store.
  FdStore(ServiceManager& manager, std::vector<StoredDescriptor> restored, bool offered);

  // What another image of this process takes over, see linux/upgrade: the names of what the manager has.
  using Kept = std::map<std::string, FileId>;
  const Kept& kept() const { return held_; }
  FdStore(ServiceManager& manager, bool offered, Kept kept)
      : manager_(manager), offered_(offered), held_(std::move(kept)) {}

  bool offered() const { return offered_ && manager_.anybody(); }

  // By the values of FDSTORE (from systemd 254 on) and NOTIFY_SOCKET. A manager that is not systemd would
  // close the descriptors, at its leisure: until then their queues would be lost to whoever waits in them.
  static bool is_offered(const std::string& fdstore, const std::string& notify_socket);

  // What was restored, has a name that begins with this and was not taken yet. The store still has it, too.
  std::vector<StoredDescriptor> take(std::string_view family);

  // From now on the store has exactly these of the names that begin with `family`; of those it has already
  // nothing is said. Descriptors are borrowed for the call.
  void hold(std::string_view family, const std::map<std::string, int>& descriptors);

  void keep(const std::string& name, int fd);
  void drop(const std::string& name);

  // Waits until the manager has done what it was told, but not for ever. A socket that was dropped keeps
  // its address until then.
  void settle();

 private:
  ServiceManager& manager_;
  bool offered_;
  std::vector<StoredDescriptor> restored_;
  std::map<std::string, FileId> held_;  // by the manager, as far as we know
};

}  // namespace graced
