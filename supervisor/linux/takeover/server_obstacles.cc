#include "linux/takeover/server_obstacles.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "core/counted.h"
#include "core/printable.h"
#include "linux/base/capabilities.h"
#include "linux/base/own_process.h"
#include "linux/base/socket_option.h"
#include "linux/proc/proc_file.h"
#include "linux/proc/process.h"
#include "linux/proc/process_usage.h"
#include "linux/sockets/plain_tcp.h"
#include "linux/sockets/socket_list.h"
#include "linux/takeover/running_server.h"

namespace graced {

namespace {

// Its PID namespace is below ours: it has another number there.
bool has_inner_number(pid_t process) {
  const std::string status = contents_of(fmt::format("/proc/{}/status", process)).value_or("");
  constexpr std::string_view heading = "\nNSpid:";
  const std::size_t at = status.find(heading);
  if (at == std::string::npos) return false;
  const std::string_view line =
      std::string_view(status).substr(at + heading.size(), status.find('\n', at + 1) - at - heading.size());
  return std::ranges::count(line, '\t') > 1;
}

// A container that has the network and the PIDs of the machine is one by its cgroup alone.
bool has_cgroup_of_engine(pid_t process) {
  constexpr std::array<std::string_view, 6> marks{"docker-",  "/docker/", "libpod-",
                                                  "kubepods", "/lxc/",    "lxc.payload"};
  const auto cgroup_of = [](const std::string& who) {
    return contents_of("/proc/" + who + "/cgroup").value_or("");
  };
  const std::string own = cgroup_of("self");
  const std::string its = cgroup_of(std::to_string(process));
  return std::ranges::any_of(marks, [&](std::string_view mark) {
    return its.find(mark) != std::string::npos && own.find(mark) == std::string::npos;
  });
}

// They listen here for a server that is elsewhere.
bool hands_on(const std::string& command) {
  constexpr std::array<std::string_view, 6> relays{"docker-proxy", "rootlessport", "rootlesskit",
                                                   "slirp4netns",  "pasta",        "pasta.avx2"};
  return std::ranges::find(relays, command) != relays.end();
}

struct Connections {
  unsigned open = 0;
  unsigned ended = 0;  // TIME_WAIT
};

Connections connections_of(const RunningSocket& socket) {
  const auto where = endpoint_of(socket.where.get());
  Connections found;
  if (!where) return found;
  unsigned states = 0;
  for (const int state : {TCP_ESTABLISHED, TCP_SYN_RECV, TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_TIME_WAIT,
                          TCP_CLOSE_WAIT, TCP_LAST_ACK, TCP_CLOSING}) {
    states |= 1U << static_cast<unsigned>(state);
  }
  const TcpPlaces places{{IPPROTO_TCP}, {AF_INET, AF_INET6}, {where->port}};
  SocketList().each_tcp(places, {states, std::nullopt, false}, [&](const TcpSeen& seen) {
    if (!covers(*where, seen.local)) return;
    ++(seen.counts.state == TCP_TIME_WAIT ? found.ended : found.open);
  });
  return found;
}

}  // namespace

std::optional<std::string> obstacle_of_process(pid_t process, const std::string& who) {
  if (process == own_pid()) return fmt::format("{} is this graced itself", who);
  if (any_above(own_pid(), [&](pid_t above) { return above == process; }))
    return fmt::format("{} has started this graced itself", who);
  if (process == 1)
    return fmt::format("{} cannot end without everything else: start it anew, below graced", who);
  if (is_in_own_network(process) == false)
    return fmt::format(
        "{} is in another network namespace, that of a container or of PrivateNetwork=: run graced in there, "
        "or move "
        "its clients to another address",
        who);
  if (has_inner_number(process) || has_cgroup_of_engine(process))
    return fmt::format(
        "{} is in a container, whose engine ends with it what graced would start: build graced into the image",
        who);
  if (hands_on(name_of(process)))
    return fmt::format(
        "{} only hands connections on to a container, where the server is: build graced into the image", who);
  return std::nullopt;
}

bool is_of_graced(pid_t process) {
  return name_of(process) == "graced" || mark_of(process).has_value();
}

bool is_systemd(pid_t process) {
  return name_of(process) == "systemd" && (process == 1 || parent_of(process) == 1);
}

std::vector<std::string> obstacles_of_socket(const RunningSocket& socket) {
  std::vector<std::string> lines;
  if (is_mptcp(socket.fd.get())) {
    lines.push_back(fmt::format(
        "{} is an MPTCP socket, for which the kernel asks no program where connections go: start the "
        "server anew without MPTCP (Go: GODEBUG=multipathtcp=0) first",
        socket.address));
    return lines;
  }
  if (socket.owner != own_user() && !has_capability(CAP_CHOWN))
    lines.push_back(
        fmt::format("{} belongs to user {}, and one group of sockets is one user's: run graced as that user, "
                    "or with CAP_CHOWN",
                    socket.address, socket.owner));
  if (socket_option(socket.fd.get(), SOL_SOCKET, SO_REUSEADDR) == 1) return lines;
  const auto [open, ended] = connections_of(socket);
  if (open + ended == 0) return lines;
  lines.push_back(
      fmt::format("{} was bound without SO_REUSEADDR, so nobody can bind it beside its connections ({} open, "
                  "{} in TIME_WAIT, "
                  "which takes 60 s): take it when there are none, or end the server first",
                  socket.address, open, ended));
  return lines;
}

std::string who_would_start_again(pid_t process) {
  struct Known {
    std::string_view name;  // the command's, or how it begins
    std::string_view stop;
  };
  constexpr std::array<Known, 9> known{{{"supervisord", "supervisorctl stop NAME"},
                                        {"PM2", "pm2 delete NAME"},
                                        {"runsv", "sv down NAME"},
                                        {"s6-supervise", "s6-svc -d DIRECTORY"},
                                        {"supervise", "svc -d DIRECTORY"},
                                        {"monit", "monit stop NAME"},
                                        {"circusd", "circusctl stop NAME"},
                                        {"supervise-daemo", "rc-service NAME stop"},
                                        {"immortal", "immortalctl stop NAME"}}};
  const pid_t parent = parent_of(process).value_or(0);
  if (parent <= 1) return "";
  const std::string name = name_of(parent);
  const auto found = std::ranges::find_if(known, [&](const Known& k) { return name.starts_with(k.name); });
  if (found == known.end()) return "";
  return fmt::format("PID {} ({}) would start it again after a signal: --take-stop '{}'", parent,
                     printable(name), found->stop);
}

}  // namespace graced
