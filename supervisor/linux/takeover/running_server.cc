#include "linux/takeover/running_server.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/printable.h"
#include "linux/base/own_process.h"
#include "linux/base/pidfd.h"
#include "linux/base/socket_option.h"
#include "linux/proc/look_rights.h"
#include "linux/proc/open_sockets.h"
#include "linux/proc/socket_holders.h"
#include "linux/sockets/group_key.h"
#include "linux/sockets/listening_rows.h"
#include "linux/sockets/socket_list.h"
#include "linux/takeover/server_obstacles.h"
#include "linux/takeover/server_search.h"

namespace graced {

// One look at one process and what is below it.
class ServerLook {
 public:
  explicit ServerLook(pid_t process) : process_(process), who_(text_of_process(process)) {}

  RunningServer::Found take() {
    if (auto obstacle = obstacle_of_process(process_, who_)) {
      found_.in_the_way.push_back(std::move(*obstacle));
      return std::move(found_);
    }
    if (!read_processes() || !read_sockets()) return std::move(found_);
    read_unit();
    look_at_sockets();
    look_for_others();
    name_what_stays();
    found_.server = std::move(server_);
    return std::move(found_);
  }

 private:
  bool read_processes() {
    server_.command_ = printable(name_of(process_));
    server_.user_ = user_of(process_).value_or(0);
    std::vector<pid_t> all = descendants_of(process_);
    all.insert(all.begin(), process_);
    for (const pid_t process : all) {
      Fd pidfd = open_pidfd(process);
      const auto id = identity_of(process);
      if (pidfd && id) server_.processes_.push_back({*id, std::move(pidfd)});
    }
    if (!server_.processes_.empty() && server_.pid() == process_) return true;
    found_.nothing = fmt::format("{} has just ended", who_);
    return false;
  }

  // False: there are none, or none that may be seen.
  bool read_sockets() {
    try {
      open_ = sockets_of_tree(process_);
    } catch (const std::system_error& error) {
      found_.in_the_way.push_back(
          fmt::format("{} cannot be looked into ({}): {}", who_, error.what(), why_no_look(look_rights())));
      return false;
    }
    SocketTaker taker;
    for (const InternetRow& row : listening_tcp()) {
      const auto place = open_.find(row.inode);
      if (place == open_.end()) continue;
      try {
        add_socket(taker.take(row.inode, place->second), row.inode);
      } catch (const std::system_error&) {
        found_.in_the_way.push_back(
            fmt::format("the sockets of {} cannot be had: {}", who_, why_no_descriptor(look_rights())));
        return false;
      }
    }
    if (!server_.sockets_.empty()) return true;
    name_what_stays();
    if (found_.warnings.empty()) {
      found_.nothing = fmt::format("{} listens nowhere", who_);
    } else {
      found_.in_the_way.push_back(
          fmt::format("{} has no TCP socket that listens, and others cannot be taken", who_));
    }
    return false;
  }

  void add_socket(Fd fd, ino_t inode) {
    const auto where = local_address(fd.get());
    const bool known =
        std::ranges::find(server_.sockets_, inode, &RunningSocket::inode) != server_.sockets_.end();
    struct stat file {};
    if (known || !fd || !where || ::fstat(fd.get(), &file) != 0 || !is_listening(fd.get())) return;
    RunningSocket socket;
    socket.key = group_key(fd.get());
    socket.address = address_text(*where, AddressKind::tcp);
    socket.where = *where;
    socket.inode = inode;
    socket.owner = file.st_uid;
    socket.had_reuseport = socket_option(fd.get(), SOL_SOCKET, SO_REUSEPORT) == 1;
    socket.fd = std::move(fd);
    server_.sockets_.push_back(std::move(socket));
  }

  void read_unit() {
    const auto service = service_of(process_);
    const auto unit = service && service != service_of(own_pid()) ? processes_of(*service) : std::nullopt;
    if (unit && unit->main == process_) {
      server_.unit_ = unit->unit;
      socket_unit_told_ = !unit->triggers.empty();
      for (const std::string& trigger : unit->triggers)
        found_.in_the_way.push_back(fmt::format(
            "{} listens for {} and would start it again: systemctl stop {} first, which does not end the "
            "service",
            trigger, unit->unit.name, trigger));
      if (!unit->unit.user && own_user() != 0)
        found_.end_in_doubt = fmt::format(
            "{} is of the system, and polkit says whether user {} may stop it; if not, {} goes on without "
            "clients: allow it, or name with --take-stop what ends it",
            unit->unit.name, own_user(), who_);
      return;
    }
    found_.end_in_doubt = who_would_start_again(process_);
    if (found_.end_in_doubt.empty() && unit && unit->main > 0)
      found_.end_in_doubt = fmt::format(
          "{} is part of {}, whose main process is {}: if that starts it again, name what ends it with "
          "--take-stop",
          who_, unit->unit.name, text_of_process(unit->main));
  }

  void look_at_sockets() {
    for (const RunningSocket& socket : server_.sockets_) {
      for (std::string& line : obstacles_of_socket(socket)) found_.in_the_way.push_back(std::move(line));
    }
  }

  const RunningSocket* socket_of(ino_t inode) const {
    const auto found = std::ranges::find(server_.sockets_, inode, &RunningSocket::inode);
    return found == server_.sockets_.end() ? nullptr : &*found;
  }

  bool is_in_tree(pid_t process) const {
    return std::ranges::any_of(server_.processes_,
                               [&](const RunningProcess& p) { return p.id.pid == process; });
  }

  // They would go on accepting from the same queue, or get a share of the connections.
  void look_for_others() {
    std::set<ino_t> inodes;
    for (const RunningSocket& socket : server_.sockets_) inodes.insert(socket.inode);
    for (const InternetRow& row : listening_tcp()) {
      if (std::ranges::any_of(server_.sockets_,
                              [&](const RunningSocket& s) { return endpoint_of(s.where.get()) == row.bound; }))
        inodes.insert(row.inode);
    }
    for (const auto& [process, has] : all_holders_of(inodes)) {
      if (process == own_pid() || is_in_tree(process)) continue;
      if (is_systemd(process) && socket_unit_told_) continue;
      const RunningSocket* socket = nullptr;
      for (const ino_t inode : has) {
        if (socket == nullptr) socket = socket_of(inode);
      }
      const std::string other = text_of_process(process);
      if (socket != nullptr && is_systemd(process)) {
        found_.in_the_way.push_back(fmt::format(
            "{} holds {} as well, for a .socket unit that would start it again: stop that unit first", other,
            socket->address));
      } else if (socket != nullptr) {
        found_.in_the_way.push_back(
            fmt::format("{} has {} as well, and is not below {}: name the process above both, or end it first",
                        other, socket->address, who_));
      } else {
        found_.in_the_way.push_back(
            fmt::format("{} listens on the same address as {}, by SO_REUSEPORT: end it first", other, who_));
      }
    }
  }

  // Other sockets, of which the server's successor cannot have the address.
  void name_what_stays() {
    for (const InternetRow& row : listening_udp()) {
      const auto place = open_.find(row.inode);
      if (place == open_.end()) continue;
      std::string line = fmt::format(
          "UDP port {} is not taken: {} has it until its end, and a new worker {}", row.bound.port, who_,
          may_be_shared(row.inode, place->second) ? "that binds it as well gets datagrams at once, ready or not"
                                                  : "that binds it fails");
      if (std::ranges::find(found_.warnings, line) == found_.warnings.end())
        found_.warnings.push_back(std::move(line));
    }
    try {
      SocketList().each_unix_listener([&](const UnixListenerSeen& seen) {
        if (open_.contains(seen.inode) && !seen.name.empty())
          found_.warnings.push_back(fmt::format("unix socket {} is not taken: {} may remove it at its end",
                                                printable(seen.name), who_));
      });
    } catch (const std::system_error&) {}  // then this kernel has no list of them
  }

  // Others can bind its address beside it, if they ask for that as well.
  static bool may_be_shared(ino_t inode, const SocketPlace& place) {
    try {
      const Fd fd = SocketTaker().take(inode, place);
      return fd && (socket_option(fd.get(), SOL_SOCKET, SO_REUSEPORT) == 1 ||
                    socket_option(fd.get(), SOL_SOCKET, SO_REUSEADDR) == 1);
    } catch (const std::system_error&) { return false; }
  }

  pid_t process_;
  std::string who_;
  OpenSockets open_;
  bool socket_unit_told_ = false;
  RunningServer server_;
  RunningServer::Found found_;
};

RunningServer::Found RunningServer::look(const TakeTarget& target) {
  ServerSearch search = search_server(target);
  if (search.process) return ServerLook(*search.process).take();
  Found found;
  found.nothing = std::move(search.nothing);
  found.in_the_way = std::move(search.in_the_way);
  return found;
}

RunningServer::Kept RunningServer::kept() const {
  Kept kept{command_, user_, unit_, {}, {}};
  for (const RunningProcess& p : processes_) kept.processes.push_back({p.id, p.pidfd.get()});
  for (const RunningSocket& s : sockets_)
    kept.sockets.push_back({s.key, s.address, s.inode, s.fd.get(), s.owner, s.had_reuseport});
  return kept;
}

RunningServer::RunningServer(Kept kept)
    : command_(std::move(kept.command)), user_(kept.user), unit_(std::move(kept.unit)) {
  for (const Kept::Process& p : kept.processes) processes_.push_back({p.id, Fd(p.pidfd)});
  for (Kept::Socket& s : kept.sockets) {
    sockets_.push_back({std::move(s.key), std::move(s.address), local_address(s.fd).value_or(SocketAddress{}),
                        s.inode, Fd(s.fd), s.owner, s.had_reuseport});
  }
}

std::string RunningServer::text() const {
  return fmt::format("PID {} ({})", pid(), command_);
}

}  // namespace graced
