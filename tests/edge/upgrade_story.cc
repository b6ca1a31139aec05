#include "upgrade_story.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace graced {

namespace {

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// CLOEXEC among them.
std::string flags_of(pid_t pid, const std::string& descriptor) {
  const std::string info = contents(fmt::format("/proc/{}/fdinfo/{}", pid, descriptor));
  const std::size_t at = info.find("flags:");
  return at == std::string::npos ? "" : info.substr(at, info.find('\n', at) - at);
}

}  // namespace

UpgradeStory::UpgradeStory(const std::vector<std::string>& before) {
  std::filesystem::permissions(directory_.path, std::filesystem::perms(0755));
  std::vector<std::string> command = before;
  command.push_back(image("good"));
  std::vector<char*> words;
  for (std::string& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  talk_.reset(ends[0]);
  const Fd its_end(ends[1]);
  const std::string errors = path("stderr");
  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    ::dup2(its_end.get(), STDIN_FILENO);
    const int file = ::open(errors.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    ::dup2(file, STDERR_FILENO);
    ::close_range(STDERR_FILENO + 1, ~0U, 0);  // what the test was started with
    ::dup2(STDIN_FILENO, of_starter);
    ::execvp(words[0], words.data());
    ::_exit(127);
  }
  REQUIRE(hear() == "started");
}

UpgradeStory::~UpgradeStory() {
  if (reaped_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void write_image(const std::string& file, const std::string& behaviour) {
  if (std::filesystem::exists(file)) return;  // it may be running
  std::string bytes = contents(UPGRADABLE);
  constexpr std::string_view good = "graced-variant:good";
  const std::size_t at = bytes.find(good);
  REQUIRE(at != std::string::npos);
  const std::string other = fmt::format("graced-variant:{}", behaviour);
  std::memcpy(bytes.data() + at, other.c_str(), other.size() + 1);
  std::ofstream(file, std::ios::binary) << bytes;
  std::filesystem::permissions(file, std::filesystem::perms(0755));
}

std::string UpgradeStory::image(const std::string& behaviour) const {
  std::string file = path(behaviour);
  write_image(file, behaviour);
  return file;
}

void UpgradeStory::tell(const std::string& command) const {
  REQUIRE(::send(talk_.get(), command.data(), command.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(command.size()));
}

std::string UpgradeStory::hear() const {
  pollfd readable{talk_.get(), POLLIN, 0};
  REQUIRE(::poll(&readable, 1, 60'000) == 1);
  std::array<char, 4096> bytes;
  const ssize_t n = ::recv(talk_.get(), bytes.data(), bytes.size(), 0);
  return n > 0 ? std::string(bytes.data(), static_cast<std::size_t>(n)) : "ended";
}

std::string UpgradeStory::ask(const std::string& command) const {
  tell(command);
  return hear();
}

std::string UpgradeStory::image_that_runs() const {
  return std::filesystem::read_symlink(fmt::format("/proc/{}/exe", pid_)).filename();
}

std::set<std::pair<std::string, unsigned long>> UpgradeStory::descriptors() const {
  std::set<std::pair<std::string, unsigned long>> all;
  for (const auto& entry : std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", pid_))) {
    struct stat file {};
    if (::stat(entry.path().c_str(), &file) != 0) continue;
    const std::string target = std::filesystem::read_symlink(entry.path());
    if (target == "anon_inode:[timerfd]") continue;  // a loop that never had a timer has none
    const std::string number = entry.path().filename();
    all.emplace(fmt::format("{} {} {}", number, target, flags_of(pid_, number)), file.st_ino);
  }
  return all;
}

std::string UpgradeStory::errors() const {
  return contents(path("stderr"));
}

long UpgradeStory::private_kilobytes() const {
  const std::string status = contents(fmt::format("/proc/{}/status", pid_));
  return std::atol(status.c_str() + status.find("VmData:") + 7);
}

int UpgradeStory::wait_for_end() const {
  int status = 0;
  REQUIRE(::waitpid(pid_, &status, 0) == pid_);
  reaped_ = true;
  return status;
}

}  // namespace graced
