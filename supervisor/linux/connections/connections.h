// What a worker still has to do for its clients, counted from outside: for one that gets no new
// connections any more, and is to be told to leave when it has finished.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"

namespace graced {

// Connections that the worker made itself, to a database for example, do not count, nor those that it made to
// its own addresses, at either end.
struct Connections {
  // TCP. Idle: all that came was read, all that was sent has arrived, and the last thing was sent after
  // (or, if nothing was ever said, when) the last one came. What cannot be told apart counts as busy:
  // an answer and the next request within the same tick of the kernel's clock.
  unsigned busy = 0;
  unsigned idle = 0;
  unsigned unix_connections = 0;  // whether they are idle cannot be told
  unsigned queued = 0;            // in accept queues
  unsigned half_open = 0;         // handshakes begun before the watch, and not yet complete
  // For how long nothing has come or gone on the TCP connection that was active last.
  std::optional<Duration> quiet;

  bool done() const { return busy + idle + unix_connections + queued + half_open == 0; }
};

// Of one worker with all of its process tree, from the moment at which it gets no new connections.
// Not copyable; no descriptor is kept between calls but one netlink socket.
class ConnectionWatch {
 public:
  // `listening`: our duplicates of the worker's listening sockets, TCP or unix; borrowed, may be closed
  // meanwhile. `cgroup`: the directory of the worker's own cgroup in the v2 hierarchy, if it has one and has
  // made its sockets inside: then many connections are counted without reading as many descriptors, and another
  // user's can be counted at all. `handshakes_move`: those that are half open when a socket is closed go to a
  // chosen one, as with SteeringProbe::migrates. So they are not waited for, which would take 20 ms to begin
  // with.
  ConnectionWatch(pid_t worker, const std::vector<int>& listening, const std::optional<std::string>& cgroup,
                  bool handshakes_move = false);
  ~ConnectionWatch();
  // What another image of this process takes over, see kept_connections.h and linux/upgrade.
  struct Kept;
  Kept kept() const;
  explicit ConnectionWatch(const Kept& kept);

  ConnectionWatch(const ConnectionWatch&) = delete;
  ConnectionWatch& operator=(const ConnectionWatch&) = delete;

  // Its first process is gone: what that left behind is below these.
  void follow(const std::vector<pid_t>& tops);

  // As the kernel has it now. done() is never said without having read all descriptors anew, unless by
  // cgroup. A worker that is gone has no connections. Throws std::system_error, "read /proc/812/fd:
  // Permission denied", where another user's processes are not shown (CAP_SYS_PTRACE): nothing can be told
  // then.
  Connections look();

  // Ends the reading side of each connection that is idle for so long, so that the worker sees its client
  // leave and closes; the client then sees an orderly end. Where it cannot be told whether a connection is
  // idle, after thirty times as long, and 30 s at least. A worker that speaks before it has finished (a
  // stream of events, HTTP/2) is taken for idle when it pauses for longer than that.
  // Starts from the last look, and looks at each connection again at the last moment. Stops after 50 ms,
  // and pause() is short then. Returns how many. Throws as look() does, and where pidfd_getfd is refused.
  unsigned close_idle(Duration drain_idle);

  // The same for every connection that the last look saw, busy or not: the worker can finish what it has
  // read, though some servers take the end for a client that went away and drop it. Returns how many.
  unsigned close_all();

  // When to look again: 20 ms after the first look, then twice as long each time up to 1 s; longer where
  // a look takes so long that more than 1.6 % of a processor would go into looking.
  Duration pause() const;

  int descriptor() const;  // the netlink socket; -1: none

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace graced
