// One client of the control socket: sd-bus speaks D-Bus with it, and is called from our own event sources.
//
// sd-bus left to itself reads a message of up to 128 MB for as long as bytes come, queues answers for
// a client that never reads, and at the end waits until all of them are read. So it gets what the client sends
// in small pieces, through a pipe: the memory that a client can take is bounded, and nothing more is read from
// it until it has read what it was told.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "core/time.h"
#include "linux/base/bus.h"
#include "linux/base/fd.h"
#include "linux/base/systemd.h"
#include "linux/control/control_wire.h"
#include "linux/event/loop.h"

namespace graced {

class ControlConnection {
 public:
  class Owner {
   public:
    virtual void message_begins() noexcept = 0;
    virtual void connection_ended(ControlConnection&) noexcept = 0;  // destroys it

   protected:
    ~Owner() = default;
  };

  // What one needs besides its socket.
  struct Descriptors {
    // We read from it, and sd-bus writes to a duplicate: it closes that by itself when writing fails, and what
    // epoll is to forget must still be open then.
    Fd output;
    Fd input, feed;  // a pipe: what was read goes in at feed, sd-bus is at the other end

    static constexpr int count = 3;
  };
  // Throws std::system_error.
  static Descriptors open_descriptors(int socket);

  // greeting_limit: until the client has said who it is. vtable: of the one object there is, its userdata
  // this connection. Throws std::system_error.
  ControlConnection(Loop& loop, Fd socket, Descriptors, std::uint64_t serial, Duration greeting_limit,
                    const sd_bus_vtable*, Owner&);
  ControlConnection(const ControlConnection&) = delete;
  ControlConnection& operator=(const ControlConnection&) = delete;
  ~ControlConnection() = default;

  Owner& owner() const { return owner_; }
  pid_t pid() const { return pid_; }  // likewise; 0: of another PID namespace
  uid_t uid() const { return uid_; }  // the kernel's word, from when it connected
  bool may_change_things() const;

  // Before it has said a word it is told nothing: clients made for buses end at a message that comes before the
  // answer to their Hello.
  bool has_spoken() const { return spoken_; }

  // It would miss something without being told: it is hung up on.
  void cannot_be_told() noexcept { give_up(); }

  // It wants to be told what happens.
  void subscribe() { subscribed_ = true; }
  bool subscribed() const { return subscribed_; }

  // All that was sent until now is taken, and answered, like woken(). This may be gone after it.
  void read_on() noexcept;

  bool is_hung_up() const;  // by the client, which may have sent something before

  // Whether what it is to be told has been written, as far as it can be now.
  bool write_on() noexcept;
  int socket() const { return socket_.get(); }
  std::vector<int> descriptors() const;

  // What was handed to sd-bus outside of a callback of its own waits to be written.
  void sent() noexcept;

  sd_bus* ready_bus() const;  // nullptr until the client is authenticated, and once it is given up

 private:
  static int on_message(sd_bus_message*, void* self, sd_bus_error*) noexcept;

  void woken() noexcept;
  bool process();
  bool digest();
  void arm();
  void give_up() noexcept;
  bool something_unread() const;

  Owner& owner_;
  std::uint64_t serial_;
  Instant greeted_by_;
  uid_t uid_ = static_cast<uid_t>(-1);
  pid_t pid_ = 0;
  Fd socket_;
  Fd feed_;
  int input_ = -1;  // sd-bus owns both
  int output_ = -1;
  bool given_up_ = false;
  bool spoken_ = false;
  bool subscribed_ = false;
  std::size_t unfinished_ = 0;  // bytes of a message that has not ended
  Bus bus_;
  Source io_;
  Source timer_;
};

}  // namespace graced
