// A datagram from the kernel's list of sockets: names of unix sockets in it are any process's choice.
#include <linux/inet_diag.h>
#include <linux/unix_diag.h>

#include <string>
#include <system_error>
#include <vector>

#include "fuzz.h"
#include "linux/sockets/netlink_reply.h"

namespace {

template <class Message>
void read(std::span<const char> datagram) {
  std::size_t attributes = 0;
  std::string copies;
  const auto seen = [&](const nlmsghdr* header, const Message& message) {
    copies.append(reinterpret_cast<const char*>(&message), sizeof message);
    graced::each_attribute<Message>(header, [&](unsigned, const char* data, std::size_t size) {
      copies.append(data, size);
      ++attributes;
    });
  };
  try {
    graced::read_reply<Message>(datagram, 1, true, seen);
  } catch (const std::system_error& error) { fuzz::promise(error.code().value() > 0, "an error has a number"); }
  fuzz::promise(attributes <= datagram.size() / sizeof(rtattr), "attributes are within their message");
  fuzz::promise(copies.size() <= datagram.size(), "nothing is read twice");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<char> aligned(data, data + size);
  read<inet_diag_msg>(aligned);
  read<unix_diag_msg>(aligned);
  return 0;
}
