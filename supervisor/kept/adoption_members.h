// What workers have bound by graced's hand. Names are numbers among those of the instance.
#pragma once

#include <sys/socket.h>

#include <optional>
#include <string>
#include <tuple>

#include "kept/base_members.h"
#include "kept/socket_members.h"
#include "linux/adoption/kept_adoption.h"
#include "state/members.h"

namespace graced {

template <>
struct Members<SocketHolder> {
  static constexpr std::tuple all{
      Named{"thread", &SocketHolder::thread},
      Named{"number", &SocketHolder::number},
  };
};

template <>
struct Members<AdoptedName::Access> {
  using Access = AdoptedName::Access;
  static constexpr std::tuple all{
      Named{"mode", &Access::mode},
      Named{"user", &Access::user},
      Named{"group", &Access::group},
  };
};

template <>
struct Members<AdoptedName::Kept> {
  using Kept = AdoptedName::Kept;
  static constexpr std::tuple all{
      Named{"text", &Kept::text},
      Named{"generation", &Kept::generation},
      Named{"worker", &Kept::worker},
      Carried{"directory", &Kept::directory},
      Named{"file", &Kept::file},
      Named{"beside", &Kept::beside},
      Named{"file-found", &Kept::file_found},
      Named{"unlinked", &Kept::unlinked},
      Named{"moved-beside", &Kept::moved_beside},
      Named{"socket", &Kept::socket},
      Named{"holder", &Kept::holder},
      Carried{"listening", &Kept::listening},
  };
};

template <>
struct Members<AdoptedNames::Kept> {
  using Kept = AdoptedNames::Kept;
  static constexpr std::tuple all{
      Named{"names", &Kept::names},
      Named{"promoted", &Kept::promoted},
      Named{"standby", &Kept::standby},
      Named{"workers", &Kept::workers},
  };
};

template <>
struct Members<AdoptedSocket::Kept> {
  using Kept = AdoptedSocket::Kept;
  static constexpr std::tuple all{
      Named{"key", &Kept::key},
      Named{"address", &Kept::address},
      Named{"pattern", &Kept::pattern},
      Named{"inode", &Kept::inode},
      Carried{"fd", &Kept::fd},
      Named{"listening", &Kept::listening},
      Named{"hidden", &Kept::hidden},
      Named{"predeclared", &Kept::predeclared},
      Named{"datagrams", &Kept::datagrams},
      Named{"name", &Kept::name},
      Named{"second-names", &Kept::second_names},
      Named{"holder", &Kept::holder},
  };
};

template <>
struct Members<WorkerBindings::Kept::Predeclared> {
  using Predeclared = WorkerBindings::Kept::Predeclared;
  static constexpr std::tuple all{
      Named{"key", &Predeclared::key},
      Borrowed{"fd", &Predeclared::fd},
  };
};

template <>
struct Members<WorkerBindings::Kept::Bind> {
  using Bind = WorkerBindings::Kept::Bind;
  static constexpr std::tuple all{
      Named{"thread", &Bind::thread},
      Named{"socket", &Bind::socket},
      Named{"where", &Bind::where},
  };

  static std::optional<std::string> flaw(const Bind& bind) {
    if (bind.where.size() <= sizeof(sockaddr_storage)) return std::nullopt;
    return "its address is longer than one of a socket can be";
  }
};

template <>
struct Members<WorkerBindings::Kept> {
  using Kept = WorkerBindings::Kept;
  static constexpr std::tuple all{
      Carried{"notifications", &Kept::notifications},
      Named{"wait-killable", &Kept::wait_killable},
      Named{"predeclared", &Kept::predeclared},
      Named{"sockets", &Kept::sockets},
      Named{"look-again-at", &Kept::look_again_at},
      Named{"last-bind", &Kept::last_bind},
      Named{"passed-through", &Kept::passed_through},
      Named{"notes", &Kept::notes},
      Named{"noted", &Kept::noted},
      Named{"changes", &Kept::changes},
  };
};

template <>
struct Members<UnixBinder::Kept> {
  using Kept = UnixBinder::Kept;
  static constexpr std::tuple all{
      Named{"generation", &Kept::generation},
      Named{"id", &Kept::id},
  };
};

template <>
struct Members<Adoption::Kept> {
  using Kept = Adoption::Kept;
  static constexpr std::tuple all{
      Named{"worker", &Kept::worker},
      Named{"binder", &Kept::binder},
  };
};

}  // namespace graced
