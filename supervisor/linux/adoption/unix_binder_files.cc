// What workers do to the files of their unix sockets: unlink, rename and link. Each is done, or believed to be
// done, to the file that the worker means, while the path leads to whom it is to lead to.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "linux/adoption/filesystem_identity.h"
#include "linux/adoption/unix_binder.h"
#include "linux/base/path_parts.h"

namespace graced {

struct UnixBinder::Place {
  Fd directory;
  std::string file;
};

namespace {

int rename_file(const Fd& from, const std::string& file, const Fd& to, const std::string& name,
                unsigned flags) {
  const long result = ::syscall(SYS_renameat2, from.get(), file.c_str(), to.get(), name.c_str(), flags);
  return result == 0 ? 0 : errno;
}

int link_file(const Fd& from, const std::string& file, const Fd& to, const std::string& name) {
  return ::linkat(from.get(), file.c_str(), to.get(), name.c_str(), 0) == 0 ? 0 : errno;
}

}  // namespace

// As the worker sees it. None: it cannot be told.
std::optional<UnixBinder::Place> UnixBinder::place_of(const AdoptionRequest& request, int base,
                                                      const std::string& path) {
  PathParts parts = parts_of(path);
  if (parts.file.empty()) return std::nullopt;
  const bool from_descriptor = base != AT_FDCWD && !path.starts_with('/');
  const Fd start = from_descriptor ? copy_descriptor(request.thread, base) : Fd();
  if (from_descriptor && !start) return std::nullopt;
  Place place{{}, std::move(parts.file)};
  {
    const FilesystemIdentity identity(request.thread);
    if (identity) place.directory = open_directory(from_descriptor ? start.get() : AT_FDCWD, parts.directory);
  }
  if (!place.directory) return std::nullopt;
  return place;
}

UnixBinder::Verdict UnixBinder::on_unlink(const AdoptionRequest& request) {
  if ((request.number & AT_REMOVEDIR) != 0) return std::nullopt;
  if (names_.empty()) return std::nullopt;
  const auto path = path_at(request.thread, request.pointer);
  if (!path || !names_.may_know(parts_of(*path).file)) return std::nullopt;
  const auto place = place_of(request, request.fd, *path);
  if (!place) return std::nullopt;
  if (!worker_.still_asks(request)) return 0;
  const auto mine = names_.of_generation(generation_, place->directory, place->file);
  if (mine && drop_second_name(*mine)) return std::nullopt;
  if (!names_.file_of(place->directory, place->file)) return std::nullopt;
  if (mine) mine->unlinked = true;
  return 0;
}

// A name of a socket that has another one is the kernel's to remove, as the path is none that anybody is to
// find.
bool UnixBinder::drop_second_name(AdoptedName& name) {
  if (!name.beside.empty()) return false;
  for (AdoptedSocket& s : worker_.sockets()) {
    const auto found = std::ranges::find(s.second_names, &name, &std::shared_ptr<AdoptedName>::get);
    if (found == s.second_names.end()) continue;
    name.directory.reset();
    s.second_names.erase(found);
    return true;
  }
  return false;
}

UnixBinder::Verdict UnixBinder::on_move(const AdoptionRequest& request) {
  const bool links = request.call == AdoptionRequest::Call::link;
  const auto flags = static_cast<unsigned>(request.number);
  if (names_.empty()) return std::nullopt;
  if ((flags & ~(links ? AT_SYMLINK_FOLLOW : RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0) return std::nullopt;
  const auto from_path = path_at(request.thread, request.pointer);
  if (!from_path) return std::nullopt;
  const bool exchanges = !links && (flags & RENAME_EXCHANGE) != 0;
  if (!exchanges && !names_.may_know(parts_of(*from_path).file)) return std::nullopt;  // the usual case
  const auto to_path = path_at(request.thread, request.to_pointer);
  if (!to_path) return std::nullopt;
  if (exchanges && !names_.may_know(parts_of(*from_path).file) && !names_.may_know(parts_of(*to_path).file))
    return std::nullopt;

  auto from = place_of(request, request.fd, *from_path);
  auto to = place_of(request, request.to_fd, *to_path);
  if (!from || !to) return std::nullopt;
  if (!worker_.still_asks(request)) return 0;
  auto name = names_.of_generation(generation_, from->directory, from->file);
  if (!name && exchanges) {
    std::swap(from, to);
    name = names_.of_generation(generation_, from->directory, from->file);
  }
  if (name) return links ? link_name(request, *name, *to) : rename_name(request, name, *from, *to);
  const bool served = names_.in_place(from->directory, from->file) != nullptr;
  return served && !links && !exchanges ? leave_in_place(request, *from, *to) : std::nullopt;
}

// Of this worker's generation. Where somebody is reached at the new path it waits beside it, as with bind.
UnixBinder::Verdict UnixBinder::rename_name(const AdoptionRequest& request,
                                            const std::shared_ptr<AdoptedName>& name, const Place& from,
                                            const Place& to) {
  const auto flags = static_cast<unsigned>(request.number);
  const auto there = names_.in_place(to.directory, to.file);
  if (there == name) return 0;  // the same file
  const auto mine = names_.of_generation(generation_, to.directory, to.file);
  if ((flags & RENAME_NOREPLACE) != 0 && mine && !mine->unlinked) return EEXIST;

  const std::string beside = there ? free_name_beside(to.directory, to.file, generation_) : "";
  const unsigned how = there ? 0 : flags;
  {
    const FilesystemIdentity identity(request.thread);
    if (!identity || !worker_.still_asks(request)) return std::nullopt;
    const int failed =
        rename_file(name->directory, names_.file_now(*name), to.directory, there ? beside : to.file, how);
    if (failed != 0) return failed;
    if (there && (flags & RENAME_EXCHANGE) != 0) {
      (void)link_file(to.directory, to.file, from.directory, from.file);  // what the worker finds there now
    }
  }
  names_.move(*name, to.directory, to.file, beside);
  for (AdoptedSocket& s : worker_.sockets()) {
    if (s.name == name) called_by_its_name(s);
  }
  worker_.changed();
  put_in_place_if_due(*name);
  return 0;
}

UnixBinder::Verdict UnixBinder::link_name(const AdoptionRequest& request, const AdoptedName& name,
                                          const Place& to) {
  const auto there = names_.in_place(to.directory, to.file);
  const auto mine = names_.of_generation(generation_, to.directory, to.file);
  if (mine && !mine->unlinked) return EEXIST;
  const auto socket = worker_.find(name.socket);
  if (socket == worker_.sockets().end()) return std::nullopt;  // another worker's

  auto second = std::make_shared<AdoptedName>();
  second->generation = generation_;
  second->worker = name.worker;
  second->file_found = name.file_found;
  second->socket = name.socket;
  second->holder = name.holder;
  if (name.listening) second->listening = Fd(::fcntl(name.listening.get(), F_DUPFD_CLOEXEC, 0));
  const std::string beside = there ? free_name_beside(to.directory, to.file, generation_) : "";
  {
    const FilesystemIdentity identity(request.thread);
    if (!identity || !worker_.still_asks(request)) return std::nullopt;
    const int failed = link_file(name.directory, names_.file_now(name), to.directory, there ? beside : to.file);
    if (failed != 0) return failed;
  }
  names_.move(*second, to.directory, to.file, beside);
  names_.add(second);
  socket->second_names.push_back(std::exchange(socket->name, second));
  called_by_its_name(*socket);
  worker_.changed();
  put_in_place_if_due(*second);
  return 0;
}

// Another generation is reached there, and is to be: the worker finds the file at both paths.
UnixBinder::Verdict UnixBinder::leave_in_place(const AdoptionRequest& request, const Place& from,
                                               const Place& to) {
  const FilesystemIdentity identity(request.thread);
  if (!identity || !worker_.still_asks(request)) return std::nullopt;
  int failed = link_file(from.directory, from.file, to.directory, to.file);
  if (failed == EEXIST && request.number == 0) {
    const std::string beside = free_name_beside(to.directory, to.file, generation_);
    failed = link_file(from.directory, from.file, to.directory, beside);
    if (failed == 0) failed = rename_file(to.directory, beside, to.directory, to.file, 0);
  }
  // Whose file it is not may not give it another name (fs.protected_hardlinks), but may rename it.
  return failed == EPERM ? 0 : failed;
}

void UnixBinder::listens(const AdoptedSocket& adopted, const Fd& socket) {
  auto names = adopted.second_names;
  if (adopted.name) names.push_back(adopted.name);
  for (const auto& name : names) {
    if (!name->listening) name->listening = Fd(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
    put_in_place_if_due(*name);
  }
}

void UnixBinder::put_in_place_if_due(AdoptedName& name) {
  if (name.beside.empty() || !name.listening || name.generation != names_.promoted()) return;
  if (const std::string why = names_.put_in_place(name); !why.empty()) worker_.note(why);
}

}  // namespace graced
