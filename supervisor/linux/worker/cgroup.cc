// Files of the v2 hierarchy, written and read; see cgroups(7) and the kernel's cgroup-v2.rst.
#include "linux/worker/cgroup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string_view>

#include "core/number.h"
#include "linux/proc/proc_file.h"
#include "linux/worker/cgroup_place.h"

namespace graced {

namespace {

constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
constexpr const char* own_leaf = "supervisor";

std::string name_of(std::uint64_t generation) {
  return fmt::format("generation.{}", generation);
}

bool write_file(int directory, const std::string& name, std::string_view text) {
  const Fd file(::openat(directory, name.c_str(), O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

std::string read_file(int directory, const char* name) {
  const Fd file(::openat(directory, name, O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> text;
  const ssize_t n = file ? ::read(file.get(), text.data(), text.size()) : -1;
  return n > 0 ? std::string(text.data(), static_cast<std::size_t>(n)) : std::string();
}

// The number behind `key` in a file of lines "key number".
std::optional<std::uint64_t> number_after(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + key.size());
  return parse_number<std::uint64_t>(text.substr(0, text.find_first_of(" \n")), 0, UINT64_MAX);
}

// What systemd says about a cgroup that it will not touch itself.
bool is_delegated(const std::string& directory) {
  for (const char* name : {"user.delegate", "trusted.delegate"}) {
    char value = 0;
    if (::getxattr(directory.c_str(), name, &value, 1) == 1 && value == '1') return true;
  }
  return false;
}

void add_processes(const std::string& list, std::vector<pid_t>& found) {
  const std::string text = contents_of(list).value_or("");
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (const auto pid = parse_number<pid_t>(line, 1, std::numeric_limits<pid_t>::max())) found.push_back(*pid);
  }
}

}  // namespace

Cgroups::Cgroups() {
  std::string path = own_cgroup();
  const std::string mounted = path.empty() || path == "/" ? "" : cgroup_mount_point();
  if (path == "/") {
    why_not_ = "graced is in the root of the cgroup hierarchy, which is everybody's";
    return;
  }
  if (mounted.empty()) {
    why_not_ = "there is no cgroup v2 hierarchy here";
    return;
  }
  // systemd 254 can be told to start graced in the leaf at once (DelegateSubgroup=supervisor).
  const std::string leaf = std::string("/") + own_leaf;
  if (path.ends_with(leaf) && is_delegated(mounted + path.substr(0, path.size() - leaf.size()))) {
    path.resize(path.size() - leaf.size());
  }
  directory_ = mounted + path;
  if (!is_delegated(directory_)) {
    why_not_ =
        fmt::format("the cgroup {} is not graced's to divide (Delegate=yes in its unit makes it so)", path);
    return;
  }
  Fd top(::open(directory_.c_str(), directory_flags));
  const bool made = top && (::mkdirat(top.get(), own_leaf, 0755) == 0 || errno == EEXIST);
  if (!made || !write_file(top.get(), fmt::format("{}/cgroup.procs", own_leaf), "0")) {
    why_not_ = fmt::format("the cgroup {} cannot be divided: {}", path, ::strerrordesc_np(errno));
    return;
  }
  top_ = std::move(top);
  // A controller can be handed on only while no process is in the cgroup itself.
  limits_memory_ = write_file(top_.get(), "cgroup.subtree_control", "+memory");
}

Cgroups::Kept Cgroups::kept() const {
  Kept kept{directory_, why_not_, top_.get(), limits_memory_, {}, leaving_};
  for (const auto& [generation, directory] : generations_)
    kept.generations.emplace(generation, directory.get());
  return kept;
}

Cgroups::Cgroups(Kept kept)
    : directory_(std::move(kept.directory)),
      why_not_(std::move(kept.why_not)),
      top_(kept.top),
      limits_memory_(kept.limits_memory),
      leaving_(std::move(kept.leaving)) {
  for (const auto& [generation, fd] : kept.generations) generations_.emplace(generation, Fd(fd));
}

Cgroups::~Cgroups() {
  if (!top_) return;
  while (!generations_.empty()) {
    const std::uint64_t generation = generations_.begin()->first;
    generations_.erase(generation);
    ::unlinkat(top_.get(), name_of(generation).c_str(), AT_REMOVEDIR);
  }
  if (limits_memory_) write_file(top_.get(), "cgroup.subtree_control", "-memory");
  if (write_file(top_.get(), "cgroup.procs", "0")) ::unlinkat(top_.get(), own_leaf, AT_REMOVEDIR);
}

int Cgroups::enter(std::uint64_t generation) {
  if (!top_) return -1;
  std::erase(leaving_, generation);
  const auto known = generations_.find(generation);
  if (known != generations_.end()) return known->second.get();
  const std::string name = name_of(generation);
  if (::mkdirat(top_.get(), name.c_str(), 0755) != 0 && errno != EEXIST) return -1;
  Fd directory(::openat(top_.get(), name.c_str(), directory_flags));
  if (!directory) return -1;
  return generations_.emplace(generation, std::move(directory)).first->second.get();
}

std::optional<std::string> Cgroups::directory_of(std::uint64_t generation) const {
  if (!generations_.contains(generation)) return std::nullopt;
  return fmt::format("{}/{}", directory_, name_of(generation));
}

void Cgroups::kill(std::uint64_t generation) {
  const auto g = generations_.find(generation);
  if (g != generations_.end()) write_file(g->second.get(), "cgroup.kill", "1");
}

void Cgroups::set_memory_high(std::uint64_t generation, std::uint64_t bytes) {
  const auto g = generations_.find(generation);
  if (g != generations_.end()) write_file(g->second.get(), "memory.high", std::to_string(bytes));
}

void Cgroups::set_no_memory_high(std::uint64_t generation) {
  const auto g = generations_.find(generation);
  if (g != generations_.end()) write_file(g->second.get(), "memory.high", "max");
}

std::vector<Cgroups::Usage> Cgroups::usage() const {
  std::vector<Usage> all;
  for (const auto& [generation, directory] : generations_) {
    if (std::ranges::find(leaving_, generation) != leaving_.end()) continue;
    Usage usage{generation, number_after(read_file(directory.get(), "memory.current"), ""), {}};
    const auto used = number_after(read_file(directory.get(), "cpu.stat"), "usage_usec ");
    usage.cpu = std::chrono::microseconds(used.value_or(0));
    all.push_back(usage);
  }
  return all;
}

std::vector<pid_t> Cgroups::processes() const {
  std::vector<pid_t> found;
  if (directory_.empty() || directory_.ends_with('/')) return found;
  std::vector<std::string> lists{directory_ + "/cgroup.procs"};
  for (const std::string& entry : entries_of(directory_))
    lists.push_back(directory_ + "/" + entry + "/cgroup.procs");
  for (const std::string& list : lists) add_processes(list, found);
  return found;
}

std::vector<pid_t> Cgroups::processes_of(std::uint64_t generation) const {
  std::vector<pid_t> found;
  if (const auto directory = directory_of(generation)) add_processes(*directory + "/cgroup.procs", found);
  return found;
}

void Cgroups::leave(std::uint64_t generation) {
  if (!generations_.contains(generation)) return;
  kill(generation);
  leaving_.push_back(generation);
  tidy_up();
}

// A process that was killed counts until it has been reaped.
void Cgroups::tidy_up() {
  std::erase_if(leaving_, [&](std::uint64_t generation) {
    if (::unlinkat(top_.get(), name_of(generation).c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) return false;
    generations_.erase(generation);
    return true;
  });
}

}  // namespace graced
