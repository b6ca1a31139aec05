// What workers have bound is taken over by another image of graced, in the same process: workers ask on, paths
// are promoted on, and files go when nobody has them any more.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "adoption_story.h"
#include "kept/adoption_members.h"
#include "linux/adoption/kept_adoption.h"
#include "never_destroyed.h"
#include "temp_directory.h"
#include "through_state.h"

namespace graced {
namespace {

AdoptedWorker::Body two_sockets(const std::string& path, in_port_t port) {
  return [path, port](const WorkerSide& test) {
    const auto serve = [&](int family, const Where& where) {
      const int s = ::socket(family, SOCK_STREAM, 0);
      const bool bound = ::bind(s, where.get(), where.length) == 0;
      test.say(outcome(bound ? ::listen(s, 16) : -1));
    };
    serve(AF_UNIX, at_path(path));
    test.wait();
    serve(AF_INET, v4(port));
    test.wait();
  };
}

TEST_CASE("a worker whose adoption is taken over goes on binding, and its path goes at the end") {
  const TempDirectory directory;
  const std::string path = directory / "a.sock";
  const in_port_t port = free_port();
  // As before an exec: what was there is never destroyed.
  auto& before = never_destroyed(new AdoptedNames);
  AdoptedWorker worker(before, 1, two_sockets(path, port));
  CHECK(worker.hears() == "ok");
  CHECK(before.promote(1).empty());

  AdoptedNames names;
  TakenNames taken;
  worker.another_image([&](const Adoption& adoption) {
    const AdoptedNames::Kept kept = through_state(before.kept());
    taken = taken_names(kept.names);
    names = AdoptedNames(kept, taken);
    return std::make_unique<Adoption>(through_state(adoption.kept(before)), names, taken);
  });
  taken.clear();
  CHECK(names.promoted() == 1);
  CHECK(worker.only_socket().key == "unix " + path);
  CHECK(worker.only_socket().listening);
  CHECK_FALSE(worker.only_socket().shared());
  CHECK(connecting(at_path(path)) == 0);

  CHECK(worker.goes_and_says() == "ok");
  CHECK(worker.adoption().sockets().size() == 2);
  CHECK(connecting(v4(port)) == 0);

  CHECK(std::filesystem::exists(path));
  worker.let_go();
  CHECK_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace graced
