// rename(2) is what makes a hand-over of a path: one file takes the other's place in one step.
#include "linux/adoption/adopted_names.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <system_error>
#include <utility>

#include "core/printable.h"
#include "linux/base/file_id.h"
#include "linux/base/path_parts.h"

namespace graced {

namespace {

std::optional<struct stat> stat_at(const Fd& directory, const std::string& file) {
  struct stat found {};
  if (::fstatat(directory.get(), file.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  return found;
}

const std::string& file_of_now(const AdoptedName& name) {
  return name.beside.empty() ? name.file : name.beside;
}

AdoptedName::Access access_of(const struct stat& file) {
  return {file.st_mode, file.st_uid, file.st_gid};
}

// To the file that is beside, what is at the path has. Empty, or what it could not be given.
std::string pass_on_access(const AdoptedName& name, const struct stat& from, const struct stat& to) {
  const int directory = name.directory.get();
  const char* file = name.beside.c_str();
  std::string why;
  const auto failed = [&](const std::string& what) {
    if (!why.empty()) return;
    why = fmt::format(
        "{}: the socket there had the {}, which the new one cannot be given: {}; look whether all clients "
        "may still connect",
        printable(name.text), what, std::generic_category().message(errno));
  };
  if ((from.st_uid != to.st_uid || from.st_gid != to.st_gid) &&
      ::fchownat(directory, file, from.st_uid, from.st_gid, AT_SYMLINK_NOFOLLOW) != 0)
    failed(fmt::format("owner {}:{}", from.st_uid, from.st_gid));
  if (from.st_mode != to.st_mode && ::fchmodat(directory, file, from.st_mode & 07777, 0) != 0)
    failed(fmt::format("mode {:04o}", from.st_mode & 07777));
  return why;
}

// The other is beside it then, under a name of its own generation. Empty, or why not.
std::string change_places(AdoptedName& name, AdoptedName& other) {
  const int directory = name.directory.get();
  const long changed =
      ::syscall(SYS_renameat2, directory, name.beside.c_str(), directory, name.file.c_str(), RENAME_EXCHANGE);
  if (changed != 0) {
    return fmt::format("{}: change places with {}: {}", printable(name.text), printable(name.beside),
                       std::generic_category().message(errno));
  }
  other.beside = std::exchange(name.beside, "");
  name.unlinked = false;
  const std::string own = free_name_beside(name.directory, name.file, other.generation);
  if (::renameat(directory, other.beside.c_str(), directory, own.c_str()) == 0) other.beside = own;
  if (const auto there = stat_at(name.directory, name.file)) other.moved_beside = access_of(*there);
  return "";
}

bool is_file_of(const AdoptedName& name, const struct stat& found) {
  return file_id(found) == name.file_found;
}

bool still_there(const AdoptedName& name) {
  const auto found = stat_at(name.directory, file_of_now(name));
  return found && is_file_of(name, *found);
}

}  // namespace

AdoptedName::~AdoptedName() {
  if (directory && still_there(*this)) ::unlinkat(directory.get(), file_of_now(*this).c_str(), 0);
}

std::vector<std::string> AdoptedNames::promote(std::uint64_t generation, std::uint64_t standby) {
  promoted_ = generation;
  standby_ = standby;
  std::vector<std::string> failed;
  for (const auto& name : all()) {
    if (name->generation != generation || name->beside.empty() || !name->listening) continue;
    if (std::string why = put_in_place(*name); !why.empty()) failed.push_back(std::move(why));
  }
  return failed;
}

void AdoptedNames::add(const std::shared_ptr<AdoptedName>& name) {
  std::erase_if(names_, [](const auto& n) { return n.expired(); });
  names_.push_back(name);
}

std::shared_ptr<AdoptedName> AdoptedNames::in_place(const Fd& directory, const std::string& file) const {
  for (const auto& name : all()) {
    if (name->beside.empty() && name->file == file && name->directory &&
        same_file(name->directory.get(), directory.get()) && still_there(*name)) {
      return name;
    }
  }
  return nullptr;
}

std::shared_ptr<AdoptedName> AdoptedNames::of_generation(std::uint64_t generation, const Fd& directory,
                                                         const std::string& file) const {
  const auto names = all();
  const auto newest = std::find_if(names.rbegin(), names.rend(), [&](const auto& name) {
    return name->generation == generation && name->file == file && name->directory &&
           same_file(name->directory.get(), directory.get()) && still_there(*name);
  });
  return newest == names.rend() ? nullptr : *newest;
}

std::shared_ptr<AdoptedName> AdoptedNames::abstract(const std::string& text) const {
  for (const auto& name : all()) {
    if (!name->directory && name->text == text) return name;
  }
  return nullptr;
}

std::shared_ptr<AdoptedName> AdoptedNames::file_of(const Fd& directory, const std::string& file) const {
  for (const auto& name : all()) {
    if (name->directory && file_of_now(*name) == file && same_file(name->directory.get(), directory.get()) &&
        still_there(*name)) {
      return name;
    }
  }
  return nullptr;
}

bool AdoptedNames::may_know(const std::string& file) const {
  return std::ranges::any_of(names_, [&](const auto& weak) {
    const auto name = weak.lock();
    return name && name->directory && (name->file == file || name->beside == file);
  });
}

std::string AdoptedNames::file_now(const AdoptedName& name) const {
  return file_of_now(name);
}

void AdoptedNames::move(AdoptedName& name, const Fd& directory, const std::string& file,
                        const std::string& beside) const {
  name.directory = Fd(::fcntl(directory.get(), F_DUPFD_CLOEXEC, 0));
  name.file = file;
  name.beside = beside;
  name.text = path_in(directory, file);
  name.unlinked = false;
  name.moved_beside.reset();
  if (beside.empty()) return;
  if (const auto there = stat_at(directory, file)) name.moved_beside = access_of(*there);
}

// The program may have changed mode and owner of what it believes to be its file: that was the old one's.
std::string AdoptedNames::put_in_place(AdoptedName& name) const {
  const auto before = stat_at(name.directory, name.file);
  const auto ours = stat_at(name.directory, name.beside);
  const auto other = in_place(name.directory, name.file);
  if (before && !other) {
    return fmt::format("{}: another file has taken its place; generation {} is reached as {} only",
                       printable(name.text), name.generation, printable(name.beside));
  }
  const bool set_since = before && (!name.moved_beside || *name.moved_beside != access_of(*before));
  std::string not_given = set_since && ours ? pass_on_access(name, *before, *ours) : "";
  if (other && other->generation == standby_) {
    std::string why = change_places(name, *other);
    return why.empty() ? not_given : why;
  }
  if (::renameat(name.directory.get(), name.beside.c_str(), name.directory.get(), name.file.c_str()) != 0) {
    return fmt::format("{}: rename {} to it: {}", printable(name.text), printable(name.beside),
                       std::generic_category().message(errno));
  }
  name.beside.clear();
  name.unlinked = false;
  return not_given;
}

std::vector<std::shared_ptr<AdoptedName>> AdoptedNames::all() const {
  std::vector<std::shared_ptr<AdoptedName>> alive;
  for (const auto& weak : names_) {
    if (auto name = weak.lock()) alive.push_back(std::move(name));
  }
  return alive;
}

}  // namespace graced
