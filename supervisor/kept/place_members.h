// The place of an instance on its machine: files that it has locked or bound, and where it began.
#pragma once

#include <optional>
#include <string>
#include <tuple>

#include "kept/base_members.h"
#include "linux/control/kept_instance.h"
#include "linux/manager/service_manager.h"
#include "linux/self/pid_file.h"
#include "linux/worker/cgroup.h"
#include "linux/worker/notify_socket.h"
#include "linux/worker/starting_place.h"
#include "state/members.h"

namespace graced {

template <>
struct Members<PidFile::Kept> {
  using Kept = PidFile::Kept;
  static constexpr std::tuple all{Named{"path", &Kept::path}, Carried{"fd", &Kept::fd}};
};

template <>
struct Members<RuntimeDirectory::Kept> {
  using Kept = RuntimeDirectory::Kept;
  static constexpr std::tuple all{Named{"path", &Kept::path}, Carried{"fd", &Kept::fd},
                                  Named{"made", &Kept::made}};
};

template <>
struct Members<InstanceLock::Kept> {
  using Kept = InstanceLock::Kept;
  static constexpr std::tuple all{Named{"path", &Kept::path}, Carried{"fd", &Kept::fd}};
};

template <>
struct Members<Instance::Kept> {
  using Kept = Instance::Kept;
  static constexpr std::tuple all{
      Named{"control-path", &Kept::control_path},
      Named{"directory", &Kept::directory},
      Named{"lock", &Kept::lock},
  };
};

template <>
struct Members<NotifySocket::Kept> {
  using Kept = NotifySocket::Kept;
  static constexpr std::tuple all{Named{"path", &Kept::path}, Carried{"fd", &Kept::fd}};
};

template <>
struct Members<StartingPlace::Kept> {
  using Kept = StartingPlace::Kept;
  static constexpr std::tuple all{Named{"name", &Kept::name}, Carried{"fd", &Kept::fd}};
};

template <>
struct Members<Cgroups::Kept> {
  using Kept = Cgroups::Kept;
  static constexpr std::tuple all{
      Named{"directory", &Kept::directory},
      Named{"why-not", &Kept::why_not},
      Carried{"top", &Kept::top},
      Named{"limits-memory", &Kept::limits_memory},
      Carried{"generations", &Kept::generations},
      Named{"leaving", &Kept::leaving},
  };
};

template <>
struct Members<ServiceManager::Kept::Message> {
  using Message = ServiceManager::Kept::Message;
  static constexpr std::tuple all{
      Named{"text", &Message::text},
      Carried{"fd", &Message::fd},
  };
};

template <>
struct Members<ServiceManager::Kept> {
  using Kept = ServiceManager::Kept;
  static constexpr std::tuple all{
      Named{"phase", &Kept::phase}, Named{"story", &Kept::story},     Named{"error", &Kept::error},
      Named{"limit", &Kept::limit}, Named{"waiting", &Kept::waiting},
  };
};

}  // namespace graced
