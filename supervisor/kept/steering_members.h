// Who gets what comes to an address that several share: programs and maps of the kernel, and the sockets in
// them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "linux/steering/steering.h"
#include "linux/steering/steering_groups.h"
#include "linux/steering/steering_sets.h"
#include "linux/steering/udp_flows.h"
#include "state/members.h"

namespace graced {

constexpr std::string_view state_word(SteeringMethod method) {
  switch (method) {
    case SteeringMethod::ebpf:
      return "ebpf";
    case SteeringMethod::cbpf:
      return "cbpf";
    case SteeringMethod::none:
      return "none";
  }
  return {};
}

template <>
struct Members<SteeringProbe> {
  static constexpr std::tuple all{
      Named{"method", &SteeringProbe::method},
      Named{"migrates", &SteeringProbe::migrates},
      Named{"why", &SteeringProbe::why},
  };
};

template <>
struct Members<SteeringSets::Kept> {
  using Kept = SteeringSets::Kept;
  static constexpr std::tuple all{
      Carried{"number", &Kept::number},
      Named{"chosen", &Kept::chosen},
      Carried{"arrays", &Kept::arrays},
  };
};

template <>
struct Members<ReuseportGroup::Member> {
  using Member = ReuseportGroup::Member;
  static constexpr std::tuple all{Borrowed{"fd", &Member::fd}, Named{"inode", &Member::inode}};
};

template <>
struct Members<ReuseportGroup::Probed> {
  using Probed = ReuseportGroup::Probed;
  static constexpr std::tuple all{
      Named{"first-ports", &Probed::first_ports},
      Named{"members", &Probed::members},
  };
};

template <>
struct Members<ReuseportGroup::Kept::Shared> {
  using Shared = ReuseportGroup::Kept::Shared;
  static constexpr std::tuple all{
      Named{"per-mille", &Shared::per_mille},
      Named{"members", &Shared::members},
      Carried{"counts", &Shared::counts},
  };
};

template <>
struct Members<ReuseportGroup::Kept> {
  using Kept = ReuseportGroup::Kept;
  static constexpr std::tuple all{
      Named{"method", &Kept::method}, Named{"members", &Kept::members}, Named{"chosen", &Kept::chosen},
      Named{"probed", &Kept::probed}, Named{"shared", &Kept::shared},   Named{"spared", &Kept::spared},
      Carried{"array", &Kept::array}, Named{"slots", &Kept::slots},     Named{"migrates", &Kept::migrates},
  };
};

template <>
struct Members<SteeringGroups::Kept::Socket> {
  using Socket = SteeringGroups::Kept::Socket;
  static constexpr std::tuple all{Named{"key", &Socket::key}, Carried{"fd", &Socket::fd}};
};

template <>
struct Members<SteeringGroups::Kept> {
  using Kept = SteeringGroups::Kept;
  static constexpr std::tuple all{
      Named{"method", &Kept::method},
      Named{"groups", &Kept::groups},
      Named{"sockets", &Kept::sockets},
      Named{"spared", &Kept::spared},
  };
};

template <>
struct Members<UdpFlows::Group> {
  using Group = UdpFlows::Group;
  static constexpr std::tuple all{Named{"members", &Group::members}, Named{"chosen", &Group::chosen}};
};

template <>
struct Members<UdpFlows::Kept::Socket> {
  using Socket = UdpFlows::Kept::Socket;
  static constexpr std::tuple all{
      Named{"key", &Socket::key},       Carried{"fd", &Socket::fd},         Named{"slot", &Socket::slot},
      Named{"serial", &Socket::serial}, Named{"lets-go", &Socket::lets_go},
  };
};

template <>
struct Members<UdpFlows::Kept> {
  using Kept = UdpFlows::Kept;
  static constexpr std::tuple all{
      Named{"method", &Kept::method},           Named{"most", &Kept::most},
      Named{"timeout", &Kept::timeout},         Named{"why-not", &Kept::why_not},
      Named{"groups", &Kept::groups},           Named{"sockets", &Kept::sockets},
      Carried{"array", &Kept::array},           Carried{"slots", &Kept::slots},
      Carried{"flows", &Kept::flows},           Named{"taken", &Kept::taken},
      Named{"last-serial", &Kept::last_serial},
  };
};

}  // namespace graced
