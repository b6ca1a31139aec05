// What a generation was prepared with runs, whatever happens to the paths that led to it.
#include "linux/worker/artefact.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>

#include "adoption_story.h"
#include "as_root.h"
#include "in_child.h"
#include "temp_directory.h"

using namespace graced;
namespace fs = std::filesystem;

namespace {

const std::vector<std::string> environment{"PATH=/usr/bin:/bin"};

void write_script(const std::string& path, const std::string& text) {
  std::ofstream(path + ".new") << text;
  fs::permissions(path + ".new", fs::perms{0755});
  fs::rename(path + ".new", path);  // another file, not other contents of the same
}

Fd opened(const std::string& directory) {
  return Fd(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

// What the command writes to standard error, and how it ended.
std::string run(const Artefact& artefact, std::vector<std::string> command, std::vector<int> pass = {}) {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  Launch launch;
  launch.command = std::move(command);
  launch.shared_environment = &environment;
  launch.stderr_fd = writer.get();
  launch.program = artefact.program();
  launch.directory_fd = artefact.directory();
  for (const int fd : pass) {
    launch.pass_fds.push_back(fd);
    launch.pass_names.emplace_back("x");
  }
  const auto result = spawn(launch);
  writer.reset();
  if (const auto* failed = std::get_if<SpawnFailed>(&result))
    return failed->why + (failed->missing ? " [missing]" : "");
  std::string said;
  std::array<char, 512> part;
  ssize_t n;
  while ((n = ::read(reader.get(), part.data(), part.size())) > 0)
    said.append(part.data(), static_cast<std::size_t>(n));
  int status = 0;
  ::waitpid(std::get<Spawned>(result).pid, &status, 0);
  return status == 0 ? said : said + " [status " + std::to_string(status) + "]";
}

const std::string looks =
    "read name </proc/$$/comm; read -r words </proc/$$/cmdline; echo \"$name $0 $(readlink /proc/$$/exe) "
    "$(readlink /proc/$$/cwd)\" >&2";

std::size_t open_descriptors() {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator{}));
}

// As a container's filter that does not know it.
void refuse_execveat() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execveat, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{4, code};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) throw std::runtime_error("no seccomp");
}

bool kernel_names_what_a_descriptor_runs() {  // since Linux 6.14; a number before
  std::string release;
  std::ifstream("/proc/sys/kernel/osrelease") >> release;
  const int major = std::stoi(release);
  const int minor = std::stoi(release.substr(release.find('.') + 1));
  return major > 6 || (major == 6 && minor >= 14);
}

}  // namespace

TEST_CASE("a program is run by its path without symbolic links, as long as that leads to it") {
  const TempDirectory scratch;
  const std::string real = fs::canonical(scratch.path);
  fs::create_directory(real + "/1");
  fs::copy_file(fs::canonical("/bin/sh"), real + "/1/app");
  fs::create_directory_symlink("1", real + "/current");
  const Artefact artefact(opened(real), {real + "/current/app", "-c", looks}, environment, nullptr);
  REQUIRE(artefact.program());
  CHECK(artefact.executable() == real + "/1/app");
  CHECK(artefact.program()->path == real + "/1/app");
  CHECK(!artefact.look().from_descriptor);
  CHECK(run(artefact, {"./typed", "-c", looks}) == "app ./typed " + real + "/1/app " + real + "\n");

  fs::create_directory(real + "/2");
  fs::copy_file("/bin/false", real + "/2/app");
  fs::remove(real + "/current");
  fs::create_directory_symlink("2", real + "/current");
  CHECK(run(artefact, {"./typed", "-c", looks}) == "app ./typed " + real + "/1/app " + real + "\n");

  // A directory that was moved takes the file along.
  fs::rename(real + "/1", real + "/old");
  CHECK(artefact.program()->path == real + "/old/app");
  CHECK(artefact.look().changed.empty());
}

TEST_CASE("the name that a program has by its last symbolic link stays its name") {
  const TempDirectory scratch;
  const std::string real = fs::canonical(scratch.path);
  fs::copy_file(fs::canonical("/bin/sh"), real + "/app-7");
  fs::create_symlink("app-7", real + "/app");
  const Artefact artefact(opened(real), {"./app"}, environment, nullptr);
  CHECK(artefact.executable() == real + "/app-7");
  CHECK(artefact.program()->path == real + "/app");
  CHECK(run(artefact, {"./app", "-c", looks}).starts_with("app ./app "));
  fs::remove(real + "/app");
  fs::create_symlink("/bin/false", real + "/app");
  CHECK(artefact.program()->path == real + "/app-7");
}

TEST_CASE("a program whose path leads to another one is run from the descriptor, under its own name") {
  const TempDirectory scratch;
  const std::string real = fs::canonical(scratch.path);
  fs::copy_file(fs::canonical("/bin/sh"), real + "/app");
  const Artefact artefact(opened(real), {"./app"}, environment, nullptr);
  fs::copy_file("/bin/false", real + "/new");
  fs::rename(real + "/new", real + "/app");
  REQUIRE(artefact.program());
  CHECK(artefact.program()->path.empty());
  CHECK(artefact.look().from_descriptor);
  CHECK(artefact.look().changed.empty());
  const std::string said = run(artefact, {"./typed", "-c", looks});
  const std::string rest = " ./typed " + real + "/app (deleted) " + real + "\n";
  CHECK(said.ends_with(rest));
  if (kernel_names_what_a_descriptor_runs()) CHECK(said == "app" + rest);
}

TEST_CASE("a script whose path leads to another one is read from a descriptor, again and again") {
  const TempDirectory scratch;
  const std::string real = fs::canonical(scratch.path);
  write_script(real + "/app", "#!/bin/bash -e\necho \"$1 $2 $0\" >&2\n");
  const Artefact artefact(opened(real), {"./app"}, environment, nullptr);
  CHECK(run(artefact, {"./app", "a b", "c"}) == "a b c " + real + "/app\n");
  write_script(real + "/app", "#!/bin/sh\nexit 3\n");
  for (int i = 0; i < 2; ++i) {
    const std::string said = run(artefact, {"./app", "a b", "c"});
    CHECK_MESSAGE(said.starts_with("a b c /dev/fd/"), said);
  }
}

TEST_CASE("a script of sh keeps its name, and so finds what lies beside it") {
  const TempDirectory scratch;
  const std::string real = fs::canonical(scratch.path);
  write_script(real + "/beside", "#!/bin/sh\necho beside >&2\nexit 0\n");
  write_script(real + "/app", "#!/bin/sh -e\necho \"$1 $2 $0\" >&2\nexec \"$(dirname \"$0\")/beside\"\n");
  const Artefact artefact(opened("/"), {real + "/app"}, environment, nullptr);
  const std::string said = "a b c " + real + "/app\nbeside\n";
  CHECK(run(artefact, {"./app", "a b", "c"}) == said);
  write_script(real + "/app", "#!/bin/sh\nexit 3\n");
  for (int i = 0; i < 2; ++i) CHECK(run(artefact, {"./app", "a b", "c"}) == said);
}

TEST_CASE("what is held is not overwritten by the sockets that are passed") {
  const TempDirectory scratch;
  write_script(scratch / "app", "#!/bin/sh\nreadlink /dev/fd/3 /dev/fd/32 >&2; pwd -P >&2\n");
  CHECK(in_child([&] {
          ::syscall(SYS_close_range, 5U, 100U, 0U);  // so that it is held at a number that a socket will have
          const Artefact artefact(opened(scratch.path), {"./app"}, environment, nullptr);
          write_script(scratch / "app", "#!/bin/sh\nexit 3\n");
          const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
          return run(artefact, {"./app"}, std::vector<int>(30, null.get()));
        }) == "/dev/null\n/dev/null\n" + fs::canonical(scratch.path).string() + "\n");
}

TEST_CASE("a directory that was removed is still where it starts") {
  const TempDirectory scratch;
  fs::create_directory(scratch / "gone");
  const Artefact artefact(opened(scratch / "gone"), {"sh", "-c", looks}, environment, nullptr);
  fs::remove(scratch / "gone");
  CHECK(run(artefact, {"sh", "-c", looks}).ends_with("/gone (deleted)\n"));
}

TEST_CASE("what cannot be run is not held, and spawn says why") {
  const TempDirectory scratch;
  const std::string real = fs::canonical(scratch.path);
  const auto fails = [&](const std::string& command) {
    const Artefact artefact(opened(real), {command}, environment, nullptr);
    return (artefact.program() ? "held: " : "") + run(artefact, {command});
  };
  CHECK(fails("./nowhere") == "exec ./nowhere: No such file or directory [missing]");
  CHECK(fails("no-such-program") ==
        "exec no-such-program: No such file or directory (not found in PATH) [missing]");
  std::ofstream(real + "/plain") << "text";
  CHECK(fails("./plain") == "exec ./plain: Permission denied (not executable: chmod +x it)");
  fs::create_directory(real + "/directory");
  CHECK(fails("./directory") == "exec ./directory: Permission denied (it is a directory)");
  CHECK(fails("./plain/below") == "exec ./plain/below: No such file or directory [missing]");
  write_script(real + "/script", "#!/no/such/interpreter\n");
  CHECK(fails("./script") ==
        "held: exec ./script: No such file or directory (the file is there; the interpreter that its first "
        "line names is not) [missing]");
  write_script(real + "/nothing", "text\n");
  CHECK(fails("./nothing") ==
        "held: exec ./nothing: Exec format error (neither a program nor a script that begins with #!)");
}

TEST_CASE("a program that only root may reach is passed over for a user, as exec does it") {
  if (!as_root("to look for it as somebody else")) return;
  const TempDirectory scratch;
  const std::string real = fs::canonical(scratch.path);
  fs::permissions(real, fs::perms{0755});
  fs::create_directory(real + "/early");
  fs::create_directory(real + "/late");
  write_script(real + "/early/app", "#!/bin/sh\n");
  write_script(real + "/late/app", "#!/bin/sh\n");
  fs::permissions(real + "/early", fs::perms{0700});
  const std::vector<std::string> path{"PATH=" + real + "/early:" + real + "/late"};
  const Launch::Identity user{65534, 65534, {}, "nobody"};
  CHECK(Artefact(opened(real), {"app"}, path, nullptr).executable() == real + "/early/app");
  CHECK(Artefact(opened(real), {"app"}, path, &user).executable() == real + "/late/app");
  CHECK_THROWS_WITH(open_directory_for(&user, AT_FDCWD, real + "/early/x"),
                    ("chdir " + real + "/early/x: Permission denied").c_str());
  const Fd still_root(::open((real + "/early/app").c_str(), O_RDONLY | O_CLOEXEC));
  CHECK(still_root);
}

TEST_CASE("where nothing can be run from a descriptor it is said, and nothing else is run instead") {
  const TempDirectory scratch;
  write_script(scratch / "app", "#!/bin/bash\n");
  CHECK(in_child([&] {
          const Artefact artefact(opened(scratch.path), {"./app"}, environment, nullptr);
          write_script(scratch / "app", "#!/bin/sh\necho another >&2\n");
          refuse_execveat();
          return run(artefact, {"./app"});
        }) ==
        "exec ./app: Function not implemented (its path does not lead to it any more, and this kernel or "
        "container runs none from a descriptor)");
}

TEST_CASE("without /proc a program is held as well") {
  if (!as_root("to hide /proc")) return;
  const TempDirectory scratch;
  fs::copy_file(fs::canonical("/bin/sh"), scratch / "app");
  CHECK(in_child([&] {
          if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
              ::mount("none", "/proc", "tmpfs", 0, nullptr) != 0) {
            return std::string("cannot hide /proc");
          }
          const Artefact artefact(opened(scratch.path), {scratch / "app"}, environment, nullptr);
          std::string said = artefact.executable() == scratch / "app" ? "found" : artefact.executable();
          const auto asks = [&] { return ", " + run(artefact, {"./app", "-c", "echo $0 >&2"}); };
          said += asks();
          fs::copy_file("/bin/false", scratch / "new");
          fs::rename(scratch / "new", scratch / "app");
          return said + asks();
        }) == "found, ./app\n, ./app\n");
}

TEST_CASE("files that a worker reads by name are known, and what was done to them") {
  const TempDirectory scratch;
  std::ofstream(scratch / "a") << "1";
  std::ofstream(scratch / "b") << "1";
  fs::create_directory(scratch / "d");
  const Fd directory = opened(scratch.path);
  KnownFiles files;
  for (const char* name : {"a", "b", "a", "nowhere", "d", "--option"}) files.add(directory.get(), name);
  FileLooks waiting(FileLooks::How::waiting);
  CHECK(files.changed(directory.get(), waiting).empty());
  std::ofstream(scratch / "d/new") << "1";  // what lies in a directory is its own business
  CHECK(files.changed(directory.get(), waiting).empty());
  std::ofstream(scratch / "b", std::ios::app) << "2";
  CHECK(files.changed(directory.get(), waiting) == std::vector<std::string>{"b"});
  fs::remove(scratch / "a");
  fs::rename(scratch / "d", scratch / "e");
  fs::create_directory(scratch / "d");
  CHECK(files.changed(directory.get(), waiting) == std::vector<std::string>{"a", "b", "d"});
}

TEST_CASE("an artefact leaves no descriptor behind") {
  const TempDirectory scratch;
  write_script(scratch / "app", "#!/bin/sh\n");
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 3; ++i) {
    Artefact artefact(opened(scratch.path), {"./app", "app"}, environment, nullptr);
    CHECK(open_descriptors() == before + 2);
    run(artefact, {"./app"});
    Artefact moved = std::move(artefact);
    CHECK(moved.program());
  }
  CHECK(open_descriptors() == before);
}
