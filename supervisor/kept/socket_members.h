// Sockets that graced has bound, with their files.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "core/listen_spec.h"
#include "kept/base_members.h"
#include "linux/sockets/listener.h"
#include "state/members.h"

namespace graced {

constexpr std::string_view state_word(AddressKind kind) {
  switch (kind) {
    case AddressKind::tcp:
      return "tcp";
    case AddressKind::udp:
      return "udp";
    case AddressKind::unix_stream:
      return "unix";
    case AddressKind::unix_dgram:
      return "unix-dgram";
    case AddressKind::unix_seqpacket:
      return "unix-seqpacket";
    case AddressKind::inherited:
      return "inherited";
  }
  return {};
}

constexpr std::string_view state_word(IpFamily family) {
  switch (family) {
    case IpFamily::any:
      return "any";
    case IpFamily::v4:
      return "v4";
    case IpFamily::v6:
      return "v6";
  }
  return {};
}

constexpr std::string_view state_word(Hidden::Way way) {
  switch (way) {
    case Hidden::Way::unseen:
      return "unseen";
    case Hidden::Way::drop_new_connections:
      return "drop-new-connections";
  }
  return {};
}

template <>
struct Members<ListenOptions> {
  static constexpr std::tuple all{
      Named{"name", &ListenOptions::name},
      Named{"backlog", &ListenOptions::backlog},
      Named{"mode", &ListenOptions::mode},
      Named{"user", &ListenOptions::user},
      Named{"group", &ListenOptions::group},
      Named{"ipv6-only", &ListenOptions::ipv6_only},
      Named{"free-bind", &ListenOptions::free_bind},
      Named{"transparent", &ListenOptions::transparent},
      Named{"no-delay", &ListenOptions::no_delay},
      Named{"keep-alive", &ListenOptions::keep_alive},
      Named{"defer-accept", &ListenOptions::defer_accept},
      Named{"fast-open", &ListenOptions::fast_open},
      Named{"receive-buffer", &ListenOptions::receive_buffer},
      Named{"send-buffer", &ListenOptions::send_buffer},
      Named{"mark", &ListenOptions::mark},
      Named{"device", &ListenOptions::device},
      Named{"nonblock", &ListenOptions::nonblock},
  };
};

template <>
struct Members<ListenSpec> {
  static constexpr std::tuple all{
      Named{"kind", &ListenSpec::kind},       Named{"host", &ListenSpec::host},
      Named{"port", &ListenSpec::port},       Named{"family", &ListenSpec::family},
      Named{"path", &ListenSpec::path},       Named{"given-fd", &ListenSpec::fd},  // as it was typed
      Named{"options", &ListenSpec::options},
  };
};

template <>
struct Members<Hidden> {
  static constexpr std::tuple all{
      Named{"way", &Hidden::way},
      Named{"interface", &Hidden::interface},
      Named{"hops-v4", &Hidden::hops_v4},
      Named{"hops-v6", &Hidden::hops_v6},
  };
};

template <>
struct Members<SpareLink::Kept> {
  using Kept = SpareLink::Kept;
  static constexpr std::tuple all{
      Named{"name", &Kept::name},
      Named{"place", &Kept::place},
      Named{"file", &Kept::file},
      Named{"why", &Kept::why},
  };
};

template <>
struct Members<UnixPath::Kept> {
  using Kept = UnixPath::Kept;
  static constexpr std::tuple all{
      Named{"path", &Kept::path},
      Named{"id", &Kept::id},
      Named{"spare", &Kept::spare},
      Named{"aside", &Kept::aside},
  };
};

template <>
struct Members<Listener::Kept> {
  using Kept = Listener::Kept;
  static constexpr std::tuple all{
      Named{"spec", &Kept::spec},           Carried{"fd", &Kept::fd},
      Named{"path", &Kept::path},           Named{"kind", &Kept::kind},
      Named{"address", &Kept::address},     Named{"made-by-graced", &Kept::made_by_graced},
      Named{"stands-in", &Kept::stands_in}, Named{"is-directed", &Kept::is_directed},
      Named{"queue", &Kept::queue},         Named{"hidden", &Kept::hidden},
      Named{"not-aside", &Kept::not_aside}, Named{"key", &Kept::key},
  };
};

}  // namespace graced
