// What a worker has bound, as one image of graced hands it to the next. Names are numbers, see
// AdoptedNames::number(); descriptors are borrowed until they are taken over.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "linux/adoption/adopted_socket.h"
#include "linux/adoption/adoption.h"
#include "linux/adoption/unix_binder.h"
#include "linux/adoption/worker_bindings.h"

namespace graced {

struct AdoptedSocket::Kept {
  std::string key{};
  std::string address{};
  std::string pattern{};
  ino_t inode = 0;
  int fd = -1;
  bool listening = false;
  std::optional<Hidden> hidden{};
  bool predeclared = false;
  bool datagrams = false;
  std::optional<unsigned> name{};
  std::vector<unsigned> second_names{};
  SocketHolder holder{};
};
AdoptedSocket::Kept kept_of(const AdoptedSocket& socket, const AdoptedNames& names);
// Throws std::out_of_range where there is no name of that number.
AdoptedSocket taken_over(AdoptedSocket::Kept kept, const TakenNames& names);

struct WorkerBindings::Kept {
  struct Predeclared {
    std::string key{};
    int fd = -1;  // somebody else's, who has it under this number afterwards as well
  };
  // A bind(2) of which its thread may not have heard.
  struct Bind {
    pid_t thread = 0;
    ino_t socket = 0;
    std::string where{};  // the bytes of a sockaddr
  };

  int notifications = -1;
  bool wait_killable = false;
  std::vector<Predeclared> predeclared{};
  std::vector<AdoptedSocket::Kept> sockets{};
  std::size_t look_again_at = 64;
  Bind last_bind{};
  std::vector<std::string> passed_through{};
  std::vector<std::string> notes{};
  std::set<std::string> noted{};
  std::uint64_t changes = 0;
};

struct Adoption::Kept {
  WorkerBindings::Kept worker{};
  UnixBinder::Kept binder{};
};

}  // namespace graced
