// Files and processes, as other types here have them.
#pragma once

#include <tuple>

#include "linux/base/file_id.h"
#include "linux/base/kept_stat.h"
#include "linux/base/socket_name.h"
#include "linux/proc/process.h"
#include "linux/proc/served_socket.h"
#include "state/members.h"

namespace graced {

template <>
struct Members<FileId> {
  static constexpr std::tuple all{Named{"device", &FileId::device}, Named{"inode", &FileId::inode}};
};

template <>
struct Members<KeptStat> {
  static constexpr std::tuple all{
      Named{"file", &KeptStat::file},       Named{"mode", &KeptStat::mode},
      Named{"size", &KeptStat::size},       Named{"modified", &KeptStat::modified},
      Named{"changed", &KeptStat::changed},
  };
};

template <>
struct Members<ProcessId> {
  static constexpr std::tuple all{Named{"pid", &ProcessId::pid}, Named{"started", &ProcessId::started}};
};

template <>
struct Members<WorkerMark> {
  static constexpr std::tuple all{
      Named{"generation", &WorkerMark::generation},
      Named{"slot", &WorkerMark::slot},
      Named{"instance", &WorkerMark::instance},
  };
};

template <>
struct Members<Endpoint> {
  static constexpr std::tuple all{Named{"ip", &Endpoint::ip}, Named{"port", &Endpoint::port}};
};

template <>
struct Members<SocketName> {
  static constexpr std::tuple all{
      Named{"family", &SocketName::family},
      Named{"endpoint", &SocketName::endpoint},
      Named{"path", &SocketName::path},
  };
};

template <>
struct Members<ServedSocket> {
  static constexpr std::tuple all{Named{"inode", &ServedSocket::inode}, Named{"name", &ServedSocket::name}};
};

}  // namespace graced
