#include "linux/adoption.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "adoption_story.h"
#include "in_child.h"

using namespace graced;

namespace {

// socket, bind, listen: a word for each that went wrong, or "listens".
std::string serve(const Where& where, int extra = 0) {
  const int s = ::socket(where.storage.ss_family, SOCK_STREAM | extra, 0);
  const int one = 1;
  ::setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (::bind(s, where.get(), where.length) != 0) return "bind " + outcome(-1);
  if (::listen(s, 16) != 0) return "listen " + outcome(-1);
  return "listens";
}

AdoptedWorker::Body server(const Where& where) {
  return [where](const WorkerSide& test) {
    test.say(serve(where));
    test.wait();
  };
}

}  // namespace

TEST_CASE("two generations listen on one port at once") {
  AdoptedNames names;
  const Where where = v4(free_port());
  AdoptedWorker first(names, 1, server(where));
  CHECK(first.hears() == "listens");
  AdoptedWorker second(names, 2, server(where));
  CHECK(second.hears() == "listens");

  const AdoptedSocket& one = first.only_socket();
  const AdoptedSocket& two = second.only_socket();
  CHECK(one.key == two.key);
  CHECK(one.address ==
        "tcp 127.0.0.1:" + std::to_string(ntohs(reinterpret_cast<const sockaddr_in*>(where.get())->sin_port)));
  CHECK(one.inode != two.inode);
  CHECK(one.listening);
  CHECK(one.steerable());
  CHECK(first.adoption().changes() == 2);
  CHECK(connecting(where) == 0);
}
