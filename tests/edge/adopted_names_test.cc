// What is told of a path that cannot be handed over as it was.
#include "linux/adoption/adopted_names.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>

#include "as_root.h"
#include "in_child.h"
#include "linux/base/file_id.h"
#include "temp_directory.h"

namespace graced {
namespace {

constexpr uid_t nobody_user = 65534;

// A file as if it were the socket of this generation; beside: what it is called until it is put in place.
std::shared_ptr<AdoptedName> name_of(const std::string& directory, const std::string& beside,
                                     std::uint64_t generation) {
  const std::string file = directory + "/" + (beside.empty() ? "a.sock" : beside);
  const Fd made(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  auto name = std::make_shared<AdoptedName>();
  name->text = directory + "/a.sock";
  name->generation = generation;
  name->directory = Fd(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  name->file = "a.sock";
  name->beside = beside;
  name->file_found = file_id(made.get());
  name->listening = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  return name;
}

TEST_CASE(
    "an owner and a mode that the new socket cannot be given are told, and it is put in place all the same") {
  if (!as_root("to become another user, whose file is root's")) return;
  const TempDirectory directory;
  REQUIRE(::chmod(directory.path.c_str(), 0777) == 0);
  const std::string said = in_child([&] {
    const std::string& place = directory.path;
    const auto before = name_of(place, "", 1);
    ::fchmodat(before->directory.get(), "a.sock", 0606, 0);
    if (::setgid(nobody_user) != 0 || ::setuid(nobody_user) != 0) return std::string("it is still root");
    const auto next = name_of(place, "a.sock.g2", 2);
    AdoptedNames names;
    names.add(before);
    names.add(next);
    std::string told;
    for (const std::string& line : names.promote(2)) told += line + "\n";
    struct stat found {};
    ::stat((place + "/a.sock").c_str(), &found);
    return told + fmt::format("{} {:o}", next->beside.empty() ? "in place" : "beside", found.st_mode & 07777);
  });
  CHECK(said ==
        directory / "a.sock" +
            ": the socket there had the owner 0:0, which the new one cannot be given: Operation not permitted; "
            "look whether all clients may still connect\nin place 606");
}

}  // namespace
}  // namespace graced
