// The connections that old workers still have.
#pragma once

#include <tuple>

#include "kept/base_members.h"
#include "linux/connections/kept_connections.h"
#include "state/members.h"

namespace graced {

template <>
struct Members<Connections> {
  static constexpr std::tuple all{
      Named{"busy", &Connections::busy},
      Named{"idle", &Connections::idle},
      Named{"unix-connections", &Connections::unix_connections},
      Named{"queued", &Connections::queued},
      Named{"half-open", &Connections::half_open},
      Named{"quiet", &Connections::quiet},
  };
};

template <>
struct Members<Handshakes::Handshake> {
  using Handshake = Handshakes::Handshake;
  static constexpr std::tuple all{Named{"local", &Handshake::local}, Named{"peer", &Handshake::peer}};
};

template <>
struct Members<Handshakes> {
  static constexpr std::tuple all{Named{"begun-before", &Handshakes::begun_before_}};
};

template <>
struct Members<ActivityHistory> {
  static constexpr std::tuple all{
      Named{"words", &ActivityHistory::words_},
      Named{"bare-acks", &ActivityHistory::bare_acks_},
  };
};

template <>
struct Members<WatchedListeners::Kept::Socket> {
  using Socket = WatchedListeners::Kept::Socket;
  static constexpr std::tuple all{
      Borrowed{"fd", &Socket::fd},
      Named{"inode", &Socket::inode},
      Named{"name", &Socket::name},
  };
};

template <>
struct Members<WatchedListeners::Kept> {
  using Kept = WatchedListeners::Kept;
  static constexpr std::tuple all{
      Named{"sockets", &Kept::sockets},
      Named{"protocols", &Kept::protocols},
      Named{"acknowledge-at-once", &Kept::acknowledge_at_once},
  };
};

template <>
struct Members<ConnectionWatch::Kept> {
  using Kept = ConnectionWatch::Kept;
  static constexpr std::tuple all{
      Named{"tops", &Kept::tops},           Named{"listeners", &Kept::listeners},
      Named{"tcp-list", &Kept::tcp_list},   Named{"unix-list", &Kept::unix_list},
      Named{"cgroup", &Kept::cgroup},       Named{"handshakes", &Kept::handshakes},
      Named{"histories", &Kept::histories}, Named{"own", &Kept::own},
      Named{"ended", &Kept::ended},
  };
};

}  // namespace graced
