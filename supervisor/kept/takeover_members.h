// A server that ran before graced and is taken over.
#pragma once

#include <optional>
#include <string>
#include <tuple>

#include "kept/base_members.h"
#include "linux/manager/unit_stop.h"
#include "linux/takeover/running_server.h"
#include "state/members.h"

namespace graced {

template <>
struct Members<SystemdUnit> {
  static constexpr std::tuple all{Named{"name", &SystemdUnit::name}, Named{"user", &SystemdUnit::user}};
};

template <>
struct Members<RunningServer::Kept::Process> {
  using Process = RunningServer::Kept::Process;
  static constexpr std::tuple all{Named{"id", &Process::id}, Carried{"pidfd", &Process::pidfd}};
};

template <>
struct Members<RunningServer::Kept::Socket> {
  using Socket = RunningServer::Kept::Socket;
  static constexpr std::tuple all{
      Named{"key", &Socket::key},     Named{"address", &Socket::address},
      Named{"inode", &Socket::inode}, Carried{"fd", &Socket::fd},
      Named{"owner", &Socket::owner}, Named{"had-reuseport", &Socket::had_reuseport},
  };
};

template <>
struct Members<RunningServer::Kept> {
  using Kept = RunningServer::Kept;
  static constexpr std::tuple all{
      Named{"command", &Kept::command},     Named{"user", &Kept::user},       Named{"unit", &Kept::unit},
      Named{"processes", &Kept::processes}, Named{"sockets", &Kept::sockets},
  };
  static std::optional<std::string> flaw(const Kept& k) {
    if (k.processes.empty()) return "a server without a process";
    return std::nullopt;
  }
};

}  // namespace graced
