// The notify socket of a service manager, which is read when the test says.
#pragma once

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>
#include <optional>
#include <string>

#include "linux/base/descriptor_message.h"
#include "linux/base/fd.h"
#include "linux/base/unix_address.h"
#include "linux/manager/service_manager.h"
#include "temp_directory.h"

namespace graced {

struct NotifyMessage {
  std::string text;
  Fd fd;
};

class NotifyListener {
 public:
  NotifyListener()
      : path_(directory_.path + "/notify"),
        socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    const UnixAddress address = unix_path_address(path_).value();
    REQUIRE(::bind(socket_.get(), address.get(), address.length) == 0);
  }

  ServiceManagerVariables variables() const { return {path_, "", ""}; }
  ServiceManager client() const { return ServiceManager(variables()); }
  int fd() const { return socket_.get(); }

  std::optional<NotifyMessage> hears() {
    std::array<char, 1000> text;
    const ssize_t n = ::recv(socket_.get(), text.data(), text.size(), MSG_PEEK);
    if (n < 0) return std::nullopt;
    return NotifyMessage{std::string(text.data(), static_cast<std::size_t>(n)),
                         receive_descriptor(socket_.get())};
  }

  // The texts of all that waits.
  std::string heard() {
    std::string all;
    while (const auto told = hears()) all += told->text;
    return all;
  }

 private:
  TempDirectory directory_;
  std::string path_;
  Fd socket_;
};

}  // namespace graced
